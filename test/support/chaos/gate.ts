/** A line between two programs that can be cut: a TCP proxy on loopback whose other end is looked up each time. */
import { createServer, connect, type Server, type Socket } from 'node:net';

/** open: passes everything; refused: connections are reset; swallowed: taken and never answered; stale: etcd's
 * watches stay open and tell nothing any more, anything else passes; or a text that is answered to whatever comes. */
export type GateState = 'open' | 'refused' | 'swallowed' | 'stale' | { answers: string };

export interface Gate {
  /** `HOST:PORT` */
  address: string;
  set(state: GateState): void;
  close(): Promise<void>;
}

interface Target {
  host: string;
  port: number;
}

/** Opens a gate to the first of the targets that takes the connection. */
export async function openGate(targets: () => Target[]): Promise<Gate> {
  const sockets = new Set<Socket>();
  /** Ends towards etcd of the connections over which a watch was asked for. */
  const watches = new Set<Socket>();
  let state: GateState = 'open';
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const pass = (client: Socket, [target, ...others]: Target[]): void => {
    if (target === undefined) {
      client.destroy();
      return;
    }
    const upstream = connect(target.port, target.host);
    let isConnected = false;
    keep(upstream);
    upstream.once('connect', () => {
      isConnected = true;
      client.on('data', (chunk: Buffer) => {
        if (!/^POST \S*\/watch /.test(chunk.toString('latin1'))) return;
        watches.add(upstream);
        if (state === 'stale') upstream.unpipe().pause();
      });
      client.pipe(upstream);
      upstream.pipe(client);
      client.once('close', () => upstream.destroy());
    });
    upstream.once('close', () => {
      watches.delete(upstream);
      if (isConnected) client.destroy();
      else pass(client, others);
    });
  };
  const server: Server = createServer((client) => {
    keep(client);
    if (state === 'open' || state === 'stale') pass(client, targets());
    else if (state === 'refused') client.resetAndDestroy();
    else if (state === 'swallowed') client.resume();
    else {
      const { answers } = state;
      client.once('data', () => client.end(answers));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    address: `127.0.0.1:${address.port}`,
    set: (wanted) => {
      if (wanted === 'stale') for (const one of watches) one.unpipe().pause();
      else if (wanted !== 'open' || state === 'stale')
        for (const socket of sockets) socket.destroy();
      state = wanted;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
