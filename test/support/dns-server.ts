/** A DNS server on loopback that knows service records and nothing else. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { promises as dns } from 'node:dns';
import type { ResolveSrv } from '../../src/dcs/etcd3/srv.js';

export interface Service {
  host: string;
  port: number;
  priority?: number;
}

export interface DnsServer {
  /** Asks this server instead of the machine's. */
  resolveSrv: ResolveSrv;
  /** `127.0.0.1:port`, as resolv.conf takes it. */
  address: string;
  /** Every name that was asked for. */
  asked: string[];
  close(): Promise<void>;
}

const SRV = 33;
const NO_SUCH_NAME = 3;

/** `services` by full name, e.g. `_etcd-client._tcp.example.org`; null: no question is answered at all. */
export async function startDns(services: Record<string, Service[]> | null): Promise<DnsServer> {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  socket.on('message', (query, from) => {
    const { name, end } = readName(query, 12);
    asked.push(name);
    if (services === null) return;
    const records = services[name.toLowerCase()] ?? [];
    const question = query.subarray(12, end + 4);
    const answers = records.map((record) => answer(record));
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8580 + (records.length > 0 ? 0 : NO_SUCH_NAME), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(answers.length, 6);
    socket.send(Buffer.concat([head, question, ...answers]), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const resolver = new dns.Resolver();
  const address = `127.0.0.1:${socket.address().port}`;
  resolver.setServers([address]);
  return {
    resolveSrv: (name) => resolver.resolveSrv(name),
    address,
    asked,
    close: async () => {
      resolver.cancel();
      socket.close();
      await once(socket, 'close');
    },
  };
}

function readName(packet: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = packet[at] ?? 0; length > 0; length = packet[at] ?? 0) {
    labels.push(packet.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.'), end: at + 1 };
}

function answer({ host, port, priority = 0 }: Service): Buffer {
  const target = Buffer.concat([
    ...host.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.from([0]),
  ]);
  const head = Buffer.alloc(18);
  // The name is the question's own.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(SRV, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(60, 6);
  head.writeUInt16BE(6 + target.length, 10);
  head.writeUInt16BE(priority, 12);
  head.writeUInt16BE(0, 14);
  head.writeUInt16BE(port, 16);
  return Buffer.concat([head, target]);
}
