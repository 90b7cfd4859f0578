/** Through an HTTP proxy to the API server: CONNECT, and TLS inside. Loaded only where a proxy is configured. */
import http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import type { Duplex } from 'node:stream';
import { noAccess } from './kube-credentials.js';

interface Target {
  host?: string | null | undefined;
  port?: number | string | null | undefined;
}

/** A socket that leads to `target` through `proxy`, as `createConnection` of http.request expects it. */
export async function connectThrough(
  proxy: URL,
  target: Target & Record<string, unknown>,
  isTls: boolean,
  signal: AbortSignal,
): Promise<() => Duplex> {
  if (!/^https?:$/.test(proxy.protocol)) {
    throw noAccess(
      `the proxy ${proxy.protocol}//${proxy.host} of the kubeconfig is not supported`,
      'http and https proxies are; for another kind run: kubectl proxy',
    );
  }
  const to = `${target.host ?? ''}:${target.port ?? ''}`;
  const raw = await tunnel(proxy, to, signal);
  if (!isTls) return () => raw;
  const host = target.host ?? '';
  const servername = (target['servername'] as string | undefined) ?? host;
  const secure = tls.connect({
    ...target,
    host,
    port: Number(target.port),
    socket: raw,
    // An IP address is not a valid server name.
    ...(net.isIP(servername) === 0 ? { servername } : {}),
  } as tls.ConnectionOptions);
  return () => secure;
}

async function tunnel(proxy: URL, to: string, signal: AbortSignal): Promise<Duplex> {
  const login = proxy.username
    ? `Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString('base64')}`
    : null;
  const make = proxy.protocol === 'https:' ? (await import('node:https')).default : http;
  const request = make.request({
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
    method: 'CONNECT',
    path: to,
    headers: { host: to, ...(login === null ? {} : { 'proxy-authorization': login }) },
    agent: false,
    signal,
  });
  return await new Promise<Duplex>((resolve, reject) => {
    request.once('connect', (response, socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`the proxy ${proxy.host} refused with ${response.statusCode ?? 0}`));
    });
    request.once('error', (error) =>
      reject(new Error(`the proxy ${proxy.host} does not answer: ${error.message}`)),
    );
    request.end();
  });
}
