/** HAProxy, which answers at one address with whichever backend it likes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { eventually } from './eventually.js';
import type { Lab } from './lab/cluster.js';
import { ensureHaproxy } from './setup.js';
import { freePort } from './free-port.js';

export interface Haproxy {
  /** `http://127.0.0.1:PORT` */
  url: string;
  end(): Promise<void>;
}

/** Spreads requests over these `http://host:port` by turns; `check` keeps those out that answer otherwise than 200. */
export async function startHaproxy(
  folder: string,
  urls: readonly string[],
  { check = null }: { check?: string | null } = {},
): Promise<Haproxy> {
  const program = await ensureHaproxy();
  const port = await freePort();
  const file = `${folder}/haproxy-${port}.cfg`;
  const servers = urls.map((url, at) => {
    const checked = check === null ? '' : ' check inter 200 fall 1 rise 1';
    return `  server m${at + 1} ${new URL(url).host}${checked}`;
  });
  const lines = [
    'defaults',
    '  mode http',
    '  timeout connect 2s',
    '  timeout client 30s',
    '  timeout server 30s',
    'listen rest',
    `  bind 127.0.0.1:${port}`,
    '  balance roundrobin',
    ...(check === null ? [] : [`  option httpchk GET ${check}`, '  http-check expect status 200']),
    ...servers,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const process = spawn(program, ['-db', '-f', file], { stdio: 'ignore' });
  const ended = once(process, 'exit');
  const url = `http://127.0.0.1:${port}`;
  await eventually('HAProxy answers', 20_000, async () => {
    const answer = await fetch(`${url}/patroni`).catch(() => null);
    return answer !== null && answer.status !== 503;
  });
  return {
    url,
    end: async () => {
      process.kill('SIGTERM');
      await ended;
    },
  };
}

/** A TCP proxy before PostgreSQL, as Patroni's documentation has it: one port for each health check. */
export interface TcpHaproxy {
  /** The port by its check: `/primary`, `/replica`, `none` for no check at all. */
  ports: Record<string, number>;
  end(): Promise<void>;
}

/** Before these members, each port with its own health check of Patroni's REST API. */
export async function startTcpHaproxy(lab: Lab, checks: readonly string[]): Promise<TcpHaproxy> {
  const program = await ensureHaproxy();
  const ports: Record<string, number> = {};
  const sections: string[] = [];
  for (const check of checks) {
    const port = await freePort();
    ports[check] = port;
    const servers = lab.members.map(({ name, host, port: own, restUrl }) => {
      const checked =
        check === 'none'
          ? ''
          : ` check port ${new URL(restUrl).port} inter 200 fall 1 rise 1 on-marked-down shutdown-sessions`;
      return `  server ${name} ${host}:${own}${checked}`;
    });
    sections.push(
      `listen ${check.replace('/', '')}`,
      `  bind 127.0.0.1:${port}`,
      '  balance roundrobin',
      ...(check === 'none'
        ? []
        : [`  option httpchk GET ${check}`, '  http-check expect status 200']),
      ...servers,
    );
  }
  const defaults = [
    'defaults',
    '  mode tcp',
    '  timeout connect 2s',
    '  timeout client 30s',
    '  timeout server 30s',
  ];
  const file = `${lab.root}/haproxy-tcp.cfg`;
  writeFileSync(file, `${[...defaults, ...sections].join('\n')}\n`);
  const process = spawn(program, ['-db', '-f', file], { stdio: 'ignore' });
  const ended = once(process, 'exit');
  return {
    ports,
    end: async () => {
      process.kill('SIGTERM');
      await ended;
    },
  };
}
