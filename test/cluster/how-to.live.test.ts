/**
 * Every command of docs/how-to.md, in the order of the page, on live clusters: it ends well, and shows what stands
 * after its #.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pictures, SIZES } from '../support/captures.js';
import { howTo, Shell } from '../support/how-to.js';
import type { Lab } from '../support/lab/cluster.js';
import { privateCluster } from '../support/shared.js';

const { jobs, rows } = howTo();

let demo: Lab;
let dr: Lab;
let shell: Shell;

beforeAll(async () => {
  demo = await privateCluster({ sync: 'quorum', loopWait: 1 });
  dr = await privateCluster({ standbyOf: demo.scope, members: 1, loopWait: 1 });
  shell = new Shell(demo, [
    [/\/etc\/patroni\/dr\.yml/g, dr.config],
    [/\bdr\b/g, dr.scope],
    [/\bMEMBER\b/g, 'pg3'],
    ...demo.members.map(({ host, port }, at): [string, string] => [
      `10.2.0.${at + 1}:5432`,
      `${host}:${port}`,
    ]),
  ]);
  expect(await demo.waitHealthy()).toBe('pg1');
}, 240_000);
afterAll(async () => {
  shell.remove();
  await dr.down();
  await demo.down();
});

async function endsWell(command: string, shows = ''): Promise<void> {
  const run = await shell.run(command);
  const seen = `$ ${command}\n${run.out}${run.err}`;
  expect(run.code, seen).toBe(0);
  // Columns of tables are as wide as what is in them.
  expect(seen.replace(/ +/g, ' ')).toContain(shell.here(shows));
}

async function replicaPg3(): Promise<void> {
  if ((await demo.leader()) === 'pg3') await endsWell('patctl switchover demo --yes');
}

/** The standby cluster follows the address of pg1. */
async function pg1Leads(): Promise<void> {
  if ((await demo.leader()) !== 'pg1')
    await endsWell('patctl switchover demo --candidate pg1 --yes');
}

const STANDBY = 'A standby cluster';

/** What an operator does beside patctl. */
const BEFORE: Record<string, (command: string) => Promise<void>> = {
  // Which replica a rolling restart promotes is Patroni's choice, and only a replica can be rebuilt.
  'Rebuild a replica': replicaPg3,
  'Take a member out': async (command) => {
    if (command.startsWith('patctl retire') && command.endsWith('--yes')) await demo.stop('pg3');
  },
  'Bring a member in': async () => {
    await demo.launch('pg3');
  },
  [STANDBY]: async (command) => {
    if (command.endsWith('--dry-run')) await pg1Leads();
  },
};

const FINDINGS = 'What to do with each critical finding';

const job = async ({ title, lines }: (typeof jobs)[number]) => {
  for (const { command, shows } of lines) {
    await BEFORE[title]?.(command);
    await endsWell(command, shows);
  }
};

// The two clusters change roles in the job of the standby cluster: it comes last.
const first = jobs.filter(({ title }) => title !== STANDBY);
test.each(first)('$title', job, 240_000);

test(`${FINDINGS}: each command of each row`, async () => {
  await replicaPg3();
  for (const command of new Set([...rows.values()].flat())) await endsWell(command);
}, 240_000);

test('in a terminal of 80, 120 and 200 columns no screen wraps', async () => {
  for (const size of SIZES) {
    const taken = await pictures(demo.config, size);
    for (const { args, text, wrapped } of taken) {
      expect(text, args.join(' ')).toMatch(/\bpg[1-3]\b/);
      expect(wrapped, `${size.columns} ${args.join(' ')}`).toEqual([]);
    }
  }
}, 480_000);

test.each(jobs.filter(({ title }) => title === STANDBY))('$title', job, 240_000);
