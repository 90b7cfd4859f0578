/**
 * A recorded cluster behind real sockets: etcd's gateway, three members' REST API and three PostgreSQLs that take a
 * password. Every run on it takes the same way, so V8 compiles the same code in each.
 */
import { createHmac, pbkdf2Sync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';

interface Recording {
  /** `REST-name` and `SQL-name` stand for the ports of the member. */
  keys: Record<string, string>;
  /** What a member answered at GET /patroni, and to the status statement. */
  members: { name: string; rest: object; sql: object }[];
}

export const RECORDED_PASSWORD = 'recorded';

export interface RecordedCluster {
  etcdPort: number;
  /** The witness that answers after the other one has, on a machine that is not too busy. */
  slow: 'rest' | 'sql' | null;
  close(): void;
}

const SLOW_MS = 150;

/** Sends an answer when its time has come. */
type Answering = (answer: () => void) => void;

const atOnce: Answering = (answer) => answer();

export async function openRecordedCluster(): Promise<RecordedCluster> {
  const text = readFileSync(join(import.meta.dirname, 'recorded.json'), 'utf8');
  const { keys, members } = JSON.parse(text) as Recording;
  const servers: Server[] = [];
  let slow: RecordedCluster['slow'] = null;
  /** Answers at once, or late when this witness is the slow one. */
  const answered = (witness: 'rest' | 'sql', answer: () => void): void => {
    if (slow === witness) setTimeout(answer, SLOW_MS);
    else answer();
  };
  const listen = async (server: Server): Promise<string> => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return String((server.address() as AddressInfo).port);
  };
  const ports = new Map<string, string>();
  for (const { name, rest, sql } of members) {
    ports.set(`REST-${name}`, await listen(restServer(rest, (answer) => answered('rest', answer))));
    ports.set(
      `SQL-${name}`,
      await listen(sqlServer(JSON.stringify(sql), (answer) => answered('sql', answer))),
    );
  }
  const kvs = Object.entries(keys).map(([key, value], at) => ({
    key,
    value: value.replace(/(REST|SQL)-\w+/g, (place) => ports.get(place) ?? place),
    revision: String(at + 2),
  }));
  const etcdPort = Number(await listen(gatewayServer(kvs)));
  return {
    etcdPort,
    get slow() {
      return slow;
    },
    set slow(witness) {
      slow = witness;
    },
    close: () => {
      for (const server of servers) server.close();
    },
  };
}

function jsonServer(answer: (body: string) => object, when: Answering = atOnce): http.Server {
  return http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      when(() => response.end(JSON.stringify(answer(body))));
    });
  });
}

const restServer = (status: object, when: Answering): http.Server => jsonServer(() => status, when);

interface Range {
  key?: string;
  range_end?: string;
}

/** Answers range reads, and transactions of such. */
function gatewayServer(all: { key: string; value: string; revision: string }[]): http.Server {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const rangeOf = (asked: Range): object => {
    const key = Buffer.from(asked.key ?? '', 'base64').toString();
    const end = Buffer.from(asked.range_end ?? '', 'base64').toString();
    const kvs = all
      .filter((one) => (end === '' ? one.key === key : one.key >= key && one.key < end))
      .map(({ key, value, revision }) => ({
        key: base64(key),
        value: base64(value),
        create_revision: revision,
        mod_revision: revision,
        version: '1',
      }));
    return { header: { revision: '100' }, kvs, count: String(kvs.length) };
  };
  return jsonServer((body) => {
    const asked = JSON.parse(body) as Range & { success?: { request_range: Range }[] };
    if (!asked.success) return rangeOf(asked);
    const responses = asked.success.map((one) => ({ response_range: rangeOf(one.request_range) }));
    return { header: { revision: '100' }, succeeded: true, responses };
  });
}

/** PostgreSQL's protocol as far as one simple query needs it, behind SCRAM-SHA-256. */
function sqlServer(document: string, when: Answering): Server {
  return net.createServer((socket) => {
    socket.on('error', () => undefined);
    let rest = Buffer.alloc(0);
    let started = false;
    let login: Scram | undefined;
    const take = (): Buffer | null => {
      const head = started ? 1 : 0;
      if (rest.length < head + 4) return null;
      const length = head + rest.readInt32BE(head);
      if (rest.length < length) return null;
      const message = rest.subarray(0, length);
      rest = rest.subarray(length);
      return message;
    };
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      for (let message = take(); message !== null; message = take()) {
        if (!started && message.length === 8) socket.write('N');
        else if (!started) {
          started = true;
          socket.write(messageOf('R', int32(10), cString('SCRAM-SHA-256'), Buffer.from([0])));
        } else if (message[0] === 'p'.charCodeAt(0) && !login) {
          login = scram(message.toString('latin1', 5));
          socket.write(messageOf('R', int32(11), Buffer.from(login.challenge)));
        } else if (message[0] === 'p'.charCodeAt(0) && login) {
          const proof = login.verdict(message.toString('latin1', 5));
          socket.write(Buffer.concat([messageOf('R', int32(12), Buffer.from(proof)), READY]));
        } else if (message[0] === 'Q'.charCodeAt(0)) when(() => socket.write(answerOf(document)));
        else socket.end();
      }
    });
  });
}

function messageOf(letter: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(letter), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

const cString = (text: string): Buffer => Buffer.from(`${text}\0`);
const int16 = (value: number): Buffer => int32(value).subarray(2);

/** Logged in, and waiting for a query. */
const READY = Buffer.concat([messageOf('R', int32(0)), messageOf('Z', Buffer.from('I'))]);

/** One row whose one column is the document. */
function answerOf(document: string): Buffer {
  const JSON_TYPE = 114;
  const column = [cString('status'), int32(0), int16(0), int32(JSON_TYPE), int16(-1), int32(-1)];
  const value = Buffer.from(document);
  return Buffer.concat([
    messageOf('T', int16(1), ...column, int16(0)),
    messageOf('D', int16(1), int32(value.length), value),
    messageOf('C', cString('SELECT 1')),
    messageOf('Z', Buffer.from('I')),
  ]);
}

interface Scram {
  /** What the server says first. */
  challenge: string;
  /** The server's signature, for what the client said last. */
  verdict(last: string): string;
}

/** The server's side of RFC 5802; whoever knows no password is not refused. */
function scram(first: string): Scram {
  const bare = first.slice(first.indexOf('n='));
  const salt = Buffer.from('recorded cluster');
  const nonce = `${/r=(.*)$/.exec(bare)?.[1] ?? ''}server`;
  const challenge = `r=${nonce},s=${salt.toString('base64')},i=4096`;
  const salted = pbkdf2Sync(RECORDED_PASSWORD, salt, 4096, 32, 'sha256');
  const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  return {
    challenge,
    verdict: (last) => {
      const withoutProof = last.slice(0, last.indexOf(',p='));
      const signature = hmac(hmac(salted, 'Server Key'), `${bare},${challenge},${withoutProof}`);
      return `v=${signature.toString('base64')}`;
    },
  };
}
