/** A TCP proxy that can lose a write's answer, or the write itself. */
import net from 'node:net';
import type { Endpoint } from '../../src/config/endpoints.js';

export interface TcpProxy {
  endpoint: Endpoint;
  /** How often the marker went by on its way to the server. */
  seen(): number;
  close(): Promise<void>;
}

export interface Loss {
  /** Text of the write; it stands readable in gRPC's frames. */
  marker: string;
  /** answer: the write reaches the server, the answer does not come back; request: it does not get there. */
  lose: 'answer' | 'request';
  /** Done before the connection is cut. */
  meanwhile?: () => Promise<void>;
}

export async function startProxy(target: Endpoint, loss: Loss): Promise<TcpProxy> {
  const sockets = new Set<net.Socket>();
  let seen = 0;
  const server = net.createServer((client) => {
    const upstream = net.connect(target.port, target.host);
    let silent = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => {
      if (!chunk.includes(loss.marker)) {
        upstream.write(chunk);
        return;
      }
      seen += 1;
      silent = true;
      if (loss.lose === 'answer') upstream.write(chunk);
      else void cut();
    });
    upstream.on('data', (chunk) => {
      if (!silent) client.write(chunk);
      else if (loss.lose === 'answer') void cut();
    });
    async function cut(): Promise<void> {
      await loss.meanwhile?.();
      client.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    endpoint: { protocol: 'http', host: '127.0.0.1', port: address.port },
    seen: () => seen,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
