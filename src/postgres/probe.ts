import { connect } from 'node:net';
import { SSL_REQUEST } from './ssl-request.js';

/** True when something that speaks PostgreSQL's protocol answers at host:port. Never throws. */
export function speaksPostgres(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    socket.once('connect', () => socket.write(SSL_REQUEST));
    socket.once('data', (data) => end(['S', 'N', 'E'].includes(String.fromCharCode(data[0] ?? 0))));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}
