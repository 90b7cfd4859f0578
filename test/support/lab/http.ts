/** One HTTP or HTTPS request with a deadline, as the lab makes it to Patroni and to etcd's gateway. */
import { request as plainRequest } from 'node:http';
import { request as tlsRequest, type RequestOptions } from 'node:https';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface HttpOptions {
  method?: string;
  body?: unknown;
  /** Folder of ca.crt, client.crt and client.key. */
  certs?: string | null;
  auth?: string | undefined;
  timeoutMs?: number;
}

export interface HttpAnswer {
  status: number;
  text: string;
  /** undefined when the answer is not JSON. */
  json: unknown;
}

export async function httpRequest(url: string, options: HttpOptions = {}): Promise<HttpAnswer> {
  const timeoutMs = options.timeoutMs ?? 3_000;
  const settings: RequestOptions = {
    method: options.method ?? 'GET',
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
    headers: { 'Content-Type': 'application/json' },
    ...(options.auth === undefined ? {} : { auth: options.auth }),
    ...(typeof options.certs === 'string' ? clientTls(options.certs) : {}),
  };
  return await new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? tlsRequest : plainRequest;
    const request = send(url, settings, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? 0, text, json: parse(text) });
      });
    });
    request.on('error', reject);
    request.end(options.body === undefined ? undefined : JSON.stringify(options.body));
  });
}

function clientTls(folder: string): RequestOptions {
  return {
    ca: readFileSync(join(folder, 'ca.crt')),
    cert: readFileSync(join(folder, 'client.crt')),
    key: readFileSync(join(folder, 'client.key')),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
