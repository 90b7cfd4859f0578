/** Options of swap that do not go together, and errors of the other site, which name the options that lead there. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { recorded, runFake } from '../support/fake-world.js';

const run = (...args: string[]) => runFake(recorded('on'), ['swap', 'demo', ...args]);

test.each([
  [['--confirm-name', 'demo'], '--confirm-name belongs to --from-lost'],
  [['--accept-data-loss'], '--accept-data-loss belongs to --from-lost and --rejoin'],
  [
    ['--rejoin', '--route', 'rw=a:1'],
    '--route does not belong to --rejoin: clients go to the other site',
  ],
  [
    ['--from-lost', '--host', 'a'],
    '--host, --port and --primary-slot-name do not belong to --from-lost: no site becomes a standby cluster',
  ],
  ...['--from-lost', '--rejoin'].map((way): [string[], string] => [
    [way, '--max-lag', '1GB'],
    '--max-lag does not belong to --from-lost and --rejoin: what the other site has is shown, without a limit',
  ]),
  [['--from-lost', '--to-cluster', 'west'], '--to-cluster needs --to or --to-rest'],
])('%j: an option that would be ignored is refused', async (args, message) => {
  const to = args.includes('--to-cluster') ? [] : ['--to', 'west.yml'];
  const { code, err } = await run(...args, ...to);
  expect([code, err]).toEqual([2, `Error: ${message}\n`]);
});

const DEAD = 'http://127.0.0.1:1';
const REFUSED = `no member answered (${DEAD}: connect ECONNREFUSED 127.0.0.1:1)`;

test.each([
  [
    ['--to', '/nowhere/west.yml'],
    1,
    ['the other site: configuration file /nowhere/west.yml does not exist', 'it is named by --to'],
  ],
  [
    ['--to-rest', DEAD],
    3,
    [
      `the other site: ${REFUSED}`,
      'give the address of any other member with --to-rest, several with commas between them',
    ],
  ],
  [
    ['--to-rest', ''],
    2,
    [
      'the other site: flag --to-rest: an address names no host',
      'write http://host:port[,http://host:port]; without a scheme host[:8008] is read as http',
    ],
  ],
])('%j: the error says which site, and the option that was typed', async (args, code, words) => {
  const done = await run(...args, '--dry-run', '-f', 'json');
  const { error } = JSON.parse(done.err) as { error: { message: string; hint: string } };
  expect([done.code, error.message, error.hint]).toEqual([code, ...words]);
});

interface LostDocument {
  code: string;
  swap: { lost: { other: string; checks: { name: string; result: string; said: string }[] } };
}

test('--from-lost: a member of the lost site that does not answer is what is expected of it', async () => {
  const done = await run('--from-lost', '--to-rest', DEAD, '--dry-run', '-f', 'json');
  const { code, swap } = JSON.parse(done.out) as LostDocument;
  const { result, said } = swap.lost.checks.find(({ name }) => name === 'other_site') ?? {};
  expect([code, swap.lost.other]).toEqual(['lost_refused', 'the primary site']);
  expect([result, said]).toEqual([
    'unknown',
    `the primary site does not answer (${REFUSED}); from here it cannot be told whether it still accepts writes`,
  ]);
});

test('--from-lost: a page in front of a lost site is no Patroni that runs', async () => {
  const page = 'No server is available';
  const server = createServer((_, response) => response.writeHead(503).end(page)).listen(0);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const named of [[], ['--to-cluster', 'demo']]) {
    const args = ['--from-lost', '--to-rest', url, ...named, '--dry-run', '-f', 'json'];
    const { swap } = JSON.parse((await run(...args)).out) as LostDocument;
    const checks = swap.lost.checks.filter(({ name }) => name.startsWith('other_'));
    expect(checks.map((one) => [one.name, one.result])).toEqual([['other_site', 'unknown']]);
    expect(checks[0]?.said).toContain(`answered HTTP 503 with "${page}"`);
  }
  server.close();
});

test('--from-lost: a Patroni there that demands a login is not silent, with and without its name', async () => {
  const server = createServer((_, response) => response.writeHead(401).end()).listen(0);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const said = `(no member reported its cluster (${url}: GET /patroni was refused with HTTP 401: it requires a login))`;
  for (const named of [[], ['--to-cluster', 'demo']]) {
    const args = ['--from-lost', '--to-rest', url, ...named, '--dry-run', '-f', 'json'];
    const { swap } = JSON.parse((await run(...args)).out) as LostDocument;
    const checks = swap.lost.checks.filter(({ name }) => name.startsWith('other_'));
    const label = named.length === 0 ? 'the primary site' : swap.lost.other;
    expect(checks.map((one) => [one.result, one.said])).toEqual([
      [
        'unknown',
        `${label} answers and refuses to tell what it is ${said}; from here it cannot be told whether it still accepts writes`,
      ],
      [
        'refused',
        `something at ${label} answers and refuses to tell what it is: its Patroni may elect a primary at any moment`,
      ],
    ]);
  }
  server.close();
});
