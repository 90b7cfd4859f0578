/** `retire` on a real cluster: the sync standby, the last voter, and a member that another one streams from. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ActionDocument } from '../../src/actions/kit/action-document.js';
import type { CheckDocument } from '../../src/cluster/documents/check-document.js';
import type { QuorumDocument } from '../../src/cluster/documents/quorum-document.js';
import { eventually, GiveUp } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { PATCTL, runPatctl } from '../support/run.js';
import { privateCluster } from '../support/shared.js';

let lab: Lab;
let leader: string;
/** The synchronous standby. */
let sync: string;
/** The only other member that could lead. */
let other: string;

const LIMIT_MS = 240_000;
const patctl = (...args: string[]) =>
  runPatctl(['-c', lab.config, ...args], { timeoutMs: LIMIT_MS });

async function documentOf<T>(...args: string[]): Promise<T> {
  const run = await patctl(...args, '-f', 'json');
  return JSON.parse(run.out) as T;
}

/** `retire`, as soon as it has made its plan and waits until the member is gone. */
async function waitingRetirement(member: string): Promise<{ document: Promise<ActionDocument> }> {
  const [command = '', ...first] = PATCTL;
  const args = ['-c', lab.config, 'retire', member, lab.scope, '--yes', '-f', 'json'];
  const run = spawn(command, [...first, ...args, '--deadline', '3m'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out = text(run.stdout);
  let err = '';
  run.stderr.setEncoding('utf8').on('data', (said: string) => (err += said));
  await eventually('it says where to stop Patroni', 60_000, () => {
    if (run.exitCode !== null) throw new GiveUp(`retire ended with ${run.exitCode}: ${err}`);
    return err.includes('Now stop Patroni on');
  });
  return { document: out.then((json) => JSON.parse(json) as ActionDocument) };
}

const resultOf = ({ retirement }: ActionDocument, name: string): string | undefined =>
  retirement?.checks.find((check) => check.name === name)?.result;

/** What `check` says of this member, and its exit code. */
async function findingsOf(member: string): Promise<{ codes: string[]; code: number | null }> {
  const run = await patctl('check', lab.scope, '-f', 'json');
  const { clusters } = JSON.parse(run.out) as CheckDocument;
  const found = clusters.flatMap(({ findings }) => findings);
  const codes = found.filter(({ members }) => members.includes(member)).map(({ code }) => code);
  return { codes, code: run.code };
}

/** The slots of this name on all members that run. */
async function slotsOn(members: readonly string[], slot: string): Promise<string[]> {
  const query = `select slot_name from pg_replication_slots where slot_name = '${slot}'`;
  const rows = await Promise.all(members.map((name) => lab.psql(name, query)));
  return rows.filter((text) => text.trim() !== '');
}

beforeAll(async () => {
  lab = await privateCluster({
    members: 4,
    sync: 'on',
    tags: { pg4: { nofailover: true, nosync: true, replicatefrom: 'pg3' } },
  });
  leader = await lab.waitHealthy();
  await eventually('one standby is synchronous, and may win', 60_000, async () => {
    const { sync: keys, members } = await documentOf<QuorumDocument>('quorum', lab.scope);
    sync = keys?.voters[0] ?? '';
    return members.some(({ name, mayWin }) => name === sync && mayWin === 'yes');
  });
  other = ['pg1', 'pg2', 'pg3'].find((name) => name !== leader && name !== sync) ?? '';
}, LIMIT_MS);
afterAll(async () => {
  await lab.down();
});

test(
  'a sync standby: another one takes its place, and nothing of it is left',
  async () => {
    const { document } = await waitingRetirement(sync);
    await lab.stop(sync);
    const done = await document;
    expect(done, JSON.stringify(done)).toMatchObject({ ending: 'ok', changed: true });
    const rest = ['pg1', 'pg2', 'pg3', 'pg4'].filter((name) => name !== sync);
    expect(await slotsOn(rest, sync)).toEqual([]);
    expect((await findingsOf(sync)).codes).toEqual([]);
    const config = await patctl('show-config', lab.scope);
    expect(config.out).not.toContain('member_slots_ttl');
    await eventually('the other standby is synchronous', 60_000, async () => {
      const { sync: keys } = await documentOf<QuorumDocument>('quorum', lab.scope);
      return keys?.voters.includes(other) === true;
    });
  },
  LIMIT_MS,
);

test('the last voter is refused', async () => {
  const refused = await documentOf<ActionDocument>('retire', other, lab.scope, '--yes');
  expect(refused).toMatchObject({ ending: 'error', code: 'retire_refused', changed: false });
  expect(resultOf(refused, 'votes')).toBe('refused');
});

test(
  'one that came back, and that another streams from: lost with its host, then retired',
  async () => {
    await lab.start(sync);
    const gone = leader === 'pg3' ? other : 'pg3';
    await eventually('both standbys may win, and all stream', 90_000, async () => {
      const run = await patctl('wait', lab.scope, '--for', 'healthy', '--deadline', '1s');
      const plan = await documentOf<ActionDocument>('retire', gone, lab.scope, '--dry-run');
      return run.code === 0 && plan.ending === 'ok';
    });
    const plan = await documentOf<ActionDocument>('retire', gone, lab.scope, '--dry-run');
    if (gone === 'pg3') expect(resultOf(plan, 'followers')).toBe('warning');
    await lab.kill(gone);
    await lab.kill(gone, { postgres: true });
    await eventually('it is missed', 60_000, async () => {
      return (await findingsOf(gone)).codes.length > 0;
    });
    const done = await documentOf<ActionDocument>(
      'retire',
      gone,
      lab.scope,
      '--yes',
      '--deadline',
      '3m',
    );
    expect(done, JSON.stringify(done)).toMatchObject({ ending: 'ok', changed: true });
    await eventually('pg4 streams, and check is calm', 60_000, async () => {
      const { codes, code } = await findingsOf(gone);
      return codes.length === 0 && code === 0;
    });
  },
  LIMIT_MS,
);
