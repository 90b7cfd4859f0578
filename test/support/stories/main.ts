/** `tsx test/support/stories/main.ts --out DIR`: each story on a live cluster, with what every source keeps of it. */
import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openEtcd } from '../../../src/dcs/etcd3/open-etcd.js';
import { settingsFor } from '../../contract/etcd-process.js';
import { openGate, type Gate } from '../chaos/gate.js';
import { startCluster, type Lab } from '../lab/cluster.js';
import { readState } from '../lab/state.js';
import { spawn, spawnSync } from 'node:child_process';
import setup from '../global-setup.js';
import { BUNDLE } from '../run.js';
import { testOwner } from '../shared.js';
import { STORIES, type Site } from './stories.js';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: '/tmp/stories' },
    only: { type: 'string', default: '.' },
    patroni: { type: 'string' },
  },
});

const SCOPE = `stories${process.pid}`;
const SMALL_DISK_MB = 400;

async function site(): Promise<Site & { close(): Promise<void> }> {
  const gates = new Map<string, Gate>();
  for (const name of ['pg1', 'pg2', 'pg3']) {
    gates.set(
      name,
      await openGate(() =>
        (readState(SCOPE)?.etcd ?? []).map(({ host, port }) => ({ host, port })),
      ),
    );
  }
  const lab = await startCluster(
    {
      scope: SCOPE,
      ...(values.patroni === undefined ? {} : { patroni: values.patroni }),
      etcdProxies: Object.fromEntries([...gates].map(([name, { address }]) => [name, address])),
      smallDisks: { pg1: SMALL_DISK_MB },
      parameters: { max_wal_size: '64MB' },
    },
    { owner: testOwner() },
  );
  const close = async (): Promise<void> => {
    await lab.down();
    for (const gate of gates.values()) await gate.close();
  };
  return { lab, gates, close };
}

/** What the kernel wrote since then; empty where it may not be read. */
function kernelLog(since: string): string {
  // What dmesg takes for a time is some seconds off: its clock does not know of suspends.
  const early = new Date(Date.parse(since) - 60_000).toISOString();
  const from = early.slice(0, 19).replace('T', ' ');
  const said = spawnSync('dmesg', ['--time-format', 'iso', '--since', from], { encoding: 'utf8' });
  return said.status === 0 ? said.stdout : '';
}

/** What each log has grown by since it was this long. */
function logsSince(lab: Lab, from: Map<string, number>, folder: string): void {
  for (const { name, log } of lab.members) {
    writeFileSync(join(folder, `${name}.log`), readFileSync(log).subarray(from.get(name) ?? 0));
  }
}

async function keys(lab: Lab, folder: string): Promise<void> {
  const { keyPast } = await import('../../../src/dcs/keyed/key-past.js');
  const store = openEtcd(
    settingsFor(lab.etcd.map(({ host, port }) => ({ protocol: 'http', host, port }))),
  );
  const file = join(folder, 'keys.jsonl');
  writeFileSync(file, '');
  const past = await keyPast(store, `/service/${lab.scope}/`, { ms: 20_000 }, (change) =>
    appendFileSync(file, `${JSON.stringify(change)}\n`),
  );
  console.log('  keys', JSON.stringify(past));
  await store.close();
}

async function tell(at: Site, story: (typeof STORIES)[number]): Promise<void> {
  const { lab } = at;
  const folder = join(values.out, story.name);
  mkdirSync(folder, { recursive: true });
  const from = new Map(lab.members.map(({ name, log }) => [name, statSync(log).size]));
  await lab.waitHealthy(120_000);
  if (story.name === 'disk-full' && (await lab.leader()) !== 'pg1') {
    const made = await import('../run.js');
    await made.runPatctl(['-c', lab.config, 'switchover', '--candidate', 'pg1', '--yes']);
    await lab.waitHealthy(120_000);
  }
  const config = (await lab.dcsGet('config')) ?? '{}';
  if (story.config) {
    await lab.dcsPut(
      'config',
      JSON.stringify({ ...(JSON.parse(config) as object), ...story.config }),
    );
    await new Promise((resolve) => setTimeout(resolve, 4_000));
  }
  const leader = (await lab.leader()) ?? '';
  // Some loops of an untroubled leader.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  const begun = new Date().toISOString();
  try {
    await story.run(at, leader);
  } catch (error) {
    logsSince(lab, from, folder);
    throw error;
  }
  const over = new Date().toISOString();
  await story.repair?.(at, leader);
  await lab.waitHealthy(120_000);
  if (story.config) await lab.dcsPut('config', config);
  logsSince(lab, from, folder);
  writeFileSync(join(folder, 'kernel.log'), kernelLog(begun));
  await keys(lab, folder);
  const now = await lab.leader();
  writeFileSync(
    join(folder, 'truth.json'),
    JSON.stringify({ story: story.name, truth: story.truth, from: leader, to: now, begun, over }),
  );
  console.log(`${story.name}: ${leader} -> ${now ?? '-'} ${begun} ${over}`);
}

const undo = await setup();
const at = await site();
const recorder = spawn(
  process.execPath,
  [BUNDLE, '-c', at.lab.config, 'record', '-o', join(values.out, 'recording.jsonl')],
  { stdio: 'ignore' },
);
try {
  for (const story of STORIES.filter(({ name }) => new RegExp(values.only).test(name))) {
    try {
      await tell(at, story);
    } catch (error) {
      console.log(`${story.name}: FAILED ${String(error)}`);
      await story.repair?.(at, 'pg1').catch(() => undefined);
    }
  }
} finally {
  recorder.kill('SIGTERM');
  await at.close();
  await undo();
}
process.exit(0);
