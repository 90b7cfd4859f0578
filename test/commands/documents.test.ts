/** -f json of the commands that act: one document on stdout, however they end. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { ActionDocument } from '../../src/actions/kit/action-document.js';
import type { RefusalDocument } from '../../src/output/refusal-document.js';
import { answer, fakeMembers, lost, type FakeMembers } from '../support/fake-members.js';
import { quickClock, runFake, UNREACHABLE } from '../support/fake-world.js';

let fake: FakeMembers;
beforeEach(() => {
  fake = fakeMembers('on');
});

/** The one document on stdout, the exit code and stderr. */
async function documentOf(...args: string[]) {
  const { code, out, err } = await runFake(fake.cluster, [...args, '-f', 'json']);
  return { code, err, document: JSON.parse(out) as ActionDocument };
}

const rest = (subject: string, said: string) => ({ witness: 'REST', subject, said });
const pausedIs = (paused: boolean) => fake.set('config', (value) => (value['pause'] = paused));

test('reload: each member with its answer, and the one where nothing was new', async () => {
  for (const name of ['pg1', 'pg3']) fake.answers[name] = answer(202, 'reload scheduled');
  const { code, err, document } = await documentOf('reload', 'demo', '--force');
  expect([code, err]).toEqual([0, '']);
  const said = 'status code=202, (reload scheduled)';
  const member = (name: string, changed: boolean, words: string) => ({
    ...{ member: name, group: null, ending: 'ok', changed, said: words },
    evidence: [rest(name, words)],
  });
  expect(document).toEqual({
    schemaVersion: 1,
    command: 'reload',
    cluster: 'demo',
    ending: 'ok',
    exit: 0,
    code: 'done',
    message: 'reload is done',
    hint: null,
    evidence: [],
    dryRun: false,
    changed: true,
    members: [
      member('pg1', true, said),
      member('pg2', false, 'status code=200, (restarted successfully)'),
      member('pg3', true, said),
    ],
    scheduledAt: null,
    rolling: null,
    switchover: null,
    configuration: null,
    retirement: null,
    roll: null,
    swap: null,
    notes: [],
  });
});

test('reload: one member is silent, one has lost the answer', async () => {
  fake.cluster.rest = { ...fake.cluster.rest, pg2: UNREACHABLE };
  fake.answers['pg3'] = lost;
  const { code, err, document } = await documentOf('reload', 'demo', '--force');
  const { members, ending, exit, changed } = document;
  expect([code, ending, exit, changed]).toEqual([5, 'unconfirmed', 5, null]);
  expect(members.map((one) => [one.member, one.ending, one.changed])).toEqual([
    ['pg1', 'ok', false],
    ['pg2', 'unreachable', false],
    ['pg3', 'unconfirmed', null],
  ]);
  expect(JSON.parse(err)).toMatchObject({ error: { exit: 5, code: 'reload_unconfirmed' } });
});

test('reload: a refusal at the question leaves every member unasked', async () => {
  fake.cluster.answers = ['n'];
  const { code, document } = await documentOf('reload', 'demo', 'pg1');
  expect([code, document.code, document.changed, fake.sent]).toEqual([1, 'declined', false, []]);
  expect(document.members).toEqual([
    {
      ...{ member: 'pg1', group: null, ending: null, changed: false },
      ...{ said: 'was not asked', evidence: [] },
    },
  ]);
});

test('reload --compat: the question is on stderr, the document alone on stdout', async () => {
  fake.cluster.answers = ['y'];
  const args = ['--compat', 'reload', 'demo', 'pg1', '-f', 'json'];
  const { code, out, err } = await runFake(fake.cluster, args);
  expect([code, err]).toEqual([0, 'Are you sure you want to reload members pg1? [y/N]: ']);
  expect(JSON.parse(out)).toMatchObject({ command: 'reload', ending: 'ok' });
});

test('restart: what fails, what is refused, and what was not needed', async () => {
  fake.answers['pg1'] = answer(503, 'restart failed');
  fake.answers['pg2'] = answer(412, 'restart conditions are not satisfied');
  const { code, document } = await documentOf('restart', 'demo', '--force');
  expect([code, document.ending, document.changed]).toEqual([4, 'failed', true]);
  expect(document.members.map((one) => [one.member, one.ending, one.changed])).toEqual([
    ['pg1', 'failed', true],
    ['pg3', 'ok', true],
    ['pg2', 'ok', false],
  ]);
  expect(document.members[0]?.evidence).toEqual([rest('pg1', 'status code=503, (restart failed)')]);
});

test('restart --rolling --dry-run: the plan is in the document, and nothing is sent', async () => {
  const { code, document } = await documentOf('restart', 'demo', '--rolling', '--dry-run');
  expect([code, fake.sent, document.changed]).toEqual([0, [], false]);
  expect([document.code, document.dryRun]).toEqual(['would_go', true]);
  expect(document.rolling?.steps.map((step) => step.kind)).toEqual(Array(3).fill('restart'));
});

test('reinit: asked for, and refused by a member that leads', async () => {
  fake.answers['pg3'] = answer(503, 'I am the leader, can not reinitialize');
  const done = await documentOf('reinit', 'demo', 'pg1', '--force');
  expect([done.code, done.document.members.map(({ ending }) => ending)]).toEqual([0, ['ok']]);
  const refused = await documentOf('reinit', 'demo', 'pg3', '--force');
  expect([refused.code, refused.document.ending, refused.document.changed]).toEqual([
    ...[1, 'error', false],
  ]);
});

describe('pause and resume', () => {
  test('the request, the DCS, and with --wait each member', async () => {
    const config = answer(200, '{"pause": true, "password": "hunter2"}');
    for (const name of ['pg1', 'pg2', 'pg3']) fake.answers[name] = config;
    fake.onCall = () => {
      pausedIs(true);
      for (const name of ['pg1', 'pg2', 'pg3']) {
        fake.set(`members/${name}`, (value) => (value['pause'] = true));
      }
    };
    const { code, document } = await documentOf('pause', '--wait');
    expect([code, document.command, document.cluster]).toEqual([0, 'pause', 'demo']);
    expect(document.evidence).toEqual([
      rest(fake.sent[0]?.to ?? '', 'status code=200'),
      { witness: 'DCS', subject: '/config', said: 'pause is true' },
    ]);
    expect(document.members.map((one) => [one.member, one.ending, one.said])).toEqual(
      ['pg1', 'pg2', 'pg3'].map((name) => [name, 'ok', 'reports that it is paused']),
    );
  });

  test('already so is exit 1, and with --idempotent no change', async () => {
    const refused = await documentOf('resume', 'demo');
    expect([refused.code, refused.document.code]).toEqual([1, 'already_so']);
    const same = await documentOf('resume', 'demo', '--idempotent');
    expect([same.code, same.document.code, same.document.changed]).toEqual([
      ...[0, 'nothing_to_do', false],
    ]);
  });

  test('an answer that is lost, and a DCS without it: whether it changed is not known', async () => {
    for (const name of ['pg1', 'pg2', 'pg3']) fake.answers[name] = lost;
    const { code, document } = await documentOf('pause', 'demo');
    expect([code, document.ending, document.changed]).toEqual([5, 'unconfirmed', null]);
  });
});

describe('flush', () => {
  test('restart: members with and without a scheduled one', async () => {
    fake.set('members/pg1', (value) => {
      value['scheduled_restart'] = { schedule: '2099-01-01T09:00:00+00:00' };
    });
    const { code, document } = await documentOf('flush', 'demo', 'restart', '--force');
    expect(code).toBe(0);
    expect(document.members.map((one) => [one.member, one.ending, one.changed])).toEqual([
      ['pg1', 'ok', true],
      ['pg2', 'ok', false],
      ['pg3', 'ok', false],
    ]);
  });

  test('switchover: nothing is pending, then one that is withdrawn', async () => {
    const none = await documentOf('flush', 'demo', 'switchover');
    expect([none.code, none.document.changed]).toEqual([0, false]);
    const scheduled = { leader: 'pg2', scheduled_at: '2099-01-01T09:00:00+00:00' };
    fake.cluster.dcs.put('/service/demo/failover', JSON.stringify(scheduled));
    fake.onCall = () => fake.cluster.dcs.put('/service/demo/failover', '{}');
    const done = await documentOf('flush', 'demo', 'switchover');
    expect([done.code, done.document.changed]).toEqual([0, true]);
    expect(done.document.evidence[1]).toEqual({
      ...{ witness: 'DCS', subject: '/failover', said: 'the scheduled switchover is gone' },
    });
  });

  test('what to flush is missing: a document is printed anyway', async () => {
    const { code, document } = await documentOf('flush', 'demo');
    expect([code, document.command, document.ending, document.exit]).toEqual([
      ...[2, 'flush', 'usage', 2],
    ]);
  });
});

describe('edit-config', () => {
  test('what changed, path by path, and whether it was written', async () => {
    const { code, document } = await documentOf('edit-config', '-s', 'ttl=33', '--force');
    expect([code, document.changed, document.code]).toEqual([0, true, 'done']);
    expect(document.configuration).toEqual({
      changes: [{ path: 'ttl', before: 20, after: 33 }],
      problems: [],
      needRestart: [],
      written: true,
    });
    const same = await documentOf('edit-config', '-s', 'ttl=33', '--force');
    expect([same.code, same.document.changed, same.document.code]).toEqual([
      ...[0, false, 'nothing_to_do'],
    ]);
  });

  test('refused by a check, and a secret is in no part of the document', async () => {
    const secret = 'postgresql.authentication.superuser.password=hunter2hunter2';
    const args = ['edit-config', 'demo', '-s', 'ttl=abc', '-s', secret, '--force'];
    const { code, out, err } = await runFake(fake.cluster, [...args, '-f', 'json']);
    const document = JSON.parse(out) as ActionDocument;
    expect([code, document.code, document.changed]).toEqual([1, 'config_refused', false]);
    expect(document.configuration?.written).toBe(false);
    expect(document.configuration?.problems.map(({ key }) => key)).toContain('ttl');
    expect(out + err).not.toContain('hunter2');
  });

  test('--dry-run names the settings that need a restart', async () => {
    const { document } = await documentOf(
      ...['edit-config', 'demo', '-p', 'max_connections=77', '--dry-run'],
    );
    expect([document.code, document.dryRun, document.changed]).toEqual(['would_go', true, false]);
    expect(document.configuration?.needRestart).toEqual(['max_connections']);
    expect(document.notes.at(-1)).toBe('dry run: nothing was written');
  });
});

test.each([
  [['pause', 'nosuch'], 1, 'unknown_cluster'],
  [['restart', 'demo', 'pg9', '--force'], 1, 'no_such_member'],
  [['restart', 'demo', '--switchover', '--force'], 2, 'options'],
  [['reinit', 'demo', '--force'], 2, 'no_member_named'],
  [['edit-config', 'demo', '-s', 'ttl=33'], 2, 'no_terminal'],
  [['switchover', 'nosuch', '--force'], 1, 'unknown_cluster'],
  [['switchover', 'demo', '--candidate', 'pg9', '--force'], 1, 'unknown_member'],
  [['switchover', 'demo'], 2, 'no_terminal'],
  [['failover', 'demo', '--force'], 1, 'no_candidate'],
  [['failover', 'demo', '--scheduled', 'x'], 2, 'usage'],
  [['status', 'nosuch'], 1, 'unknown_cluster'],
  [['quorum', 'nosuch'], 1, 'unknown_cluster'],
  [['why-not', 'nosuch', 'pg1'], 1, 'unknown_cluster'],
  [['check', 'nosuch'], 3, 'unknown_cluster'],
  [['pause', '--xyzzy'], 2, 'usage'],
] as const)('%j is refused in a document', async (words, exit, code) => {
  const { out, err, ...run } = await runFake(fake.cluster, [...words, '-f', 'json']);
  const document = JSON.parse(out) as RefusalDocument;
  expect([run.code, document.command, document.exit, document.code]).toEqual([
    ...[exit, words[0], exit, code],
  ]);
  expect(JSON.parse(err)).toMatchObject({ error: { exit, code, message: document.message } });
});

test('members that do not answer are named in the document', async () => {
  fake.cluster.clock = quickClock();
  fake.cluster.rest = {};
  const { code, document } = await documentOf('pause', 'demo');
  expect([code, document.ending, document.changed]).toEqual([3, 'unreachable', false]);
  expect(document.evidence.map(({ subject }) => subject).sort()).toEqual(['pg1', 'pg2', 'pg3']);
});

test.each(['list', 'members', 'history', 'show-config', 'version'])(
  '%s -f json is rows or nothing: a refusal is on stderr alone',
  async (command) => {
    const run = await runFake(fake.cluster, [command, 'nosuch', '-f', 'json']);
    expect(run.out).not.toContain('schemaVersion');
  },
);
