/**
 * patctl --compat beside the real patronictl on a terminal: the questions in their order and words, what
 * is in their brackets, what each answer leads to. switchover-more.live.test.ts has those of switchover
 * and failover. Each difference asserted here is a row of docs/deviations.md.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Lab } from '../support/lab/cluster.js';
import { PASSWORDS } from '../support/lab/configs.js';
import {
  asIfDone,
  startRestProxies,
  type Call,
  type RestProxies,
} from '../support/recording-proxy.js';
import { runProgram } from '../support/lab/process.js';
import { PATCTL, runPatctl, runPatronictl } from '../support/run.js';
import { settledLines } from '../support/settled.js';
import { privateCluster } from '../support/shared.js';
import { KEY, pressKeys, type KeysOptions, type Step } from '../support/keys.js';
import { CTRL_C, CTRL_D, onTerminal, type Dialogue } from '../support/terminal.js';

const AT = '2036-12-31T03:04:05+02:00';

let lab: Lab;
let proxies: RestProxies;
let folder = '';
/** For edit-config: patronictl's pager, and an editor that makes one change. */
let env: Record<string, string> = {};

beforeAll(async () => {
  proxies = await startRestProxies(['pg1', 'pg2']);
  lab = await privateCluster({ members: 2, restProxies: proxies.addresses });
  proxies.attach(lab.members);
  folder = mkdtempSync(join(tmpdir(), 'patctl-live-'));
  const editor = join(folder, 'editor');
  writeFileSync(editor, '#!/bin/sh\nsed -i "s/^loop_wait: .*/loop_wait: 3/" "$1"\n');
  chmodSync(editor, 0o755);
  env = { PAGER: 'cat', EDITOR: editor, TMPDIR: folder };
});
afterEach(() => {
  proxies.instead = () => null;
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await lab.down();
  await proxies.close();
});

interface Talk {
  screen: string[];
  code: number | null;
  /** The requests that act, and their sender. */
  sent: Omit<Call, 'by'>[];
}

async function talk(by: Call['by'], line: string, answers: readonly string[]): Promise<Talk> {
  const program = by === 'patroni' ? [lab.patronictl] : [...PATCTL, '--compat'];
  const scoped = (text: string) => text.replaceAll('CLUSTER', lab.scope);
  const command = [...program, '-c', lab.config, ...scoped(line).split(' ')];
  const from = proxies.calls.length;
  const dialogue: Dialogue = await onTerminal(command, answers.map(scoped), { env });
  const sent = proxies.calls.slice(from).flatMap(({ by: sender, ...call }) => {
    return sender === by && call.method !== 'GET' ? [call] : [];
  });
  return { screen: settledLines(dialogue.screen), code: dialogue.code, sent };
}

/** Both at once: nothing that is answered here changes the cluster. */
async function both(line: string, answers: readonly string[], ours = answers) {
  const [b, a] = await Promise.all([talk('patroni', line, answers), talk('patctl', line, ours)]);
  return { a, b };
}

/** The same screen to its last line; hints may stand below it. */
function expectSameScreen(a: Talk, b: Talk): void {
  const said = b.screen.at(-1) === '' ? b.screen.slice(0, -1) : b.screen;
  expect(a.screen.slice(0, said.length)).toEqual(said);
}

interface Piped {
  out: string[];
  err: string;
  code: number | null;
  sent: Omit<Call, 'by'>[];
}

/** Answers out of a pipe; whole lines, or what is left of one. */
async function piped(by: Call['by'], line: string, input: string): Promise<Piped> {
  const scoped = (text: string) => text.replaceAll('CLUSTER', lab.scope);
  const words = scoped(line).split(' ');
  const from = proxies.calls.length;
  const options = { env, input: scoped(input) };
  const run =
    by === 'patroni'
      ? await runPatronictl(lab, words, options)
      : await runPatctl(['-c', lab.config, '--compat', ...words], options);
  const sent = proxies.calls.slice(from).flatMap(({ by: sender, ...call }) => {
    return sender === by && call.method !== 'GET' ? [call] : [];
  });
  return { out: settledLines(run.out), err: run.err, code: run.code, sent };
}

const ANSWER = (status: number, body: string) => () => ({ status, body });
const instead = (answer: ReturnType<typeof ANSWER>): void => {
  proxies.instead = (call) => (call.method === 'GET' ? null : answer());
};

describe('declined, or answered wrongly: the same words, nothing sent', () => {
  test.each<[line: string, answers: string[]]>([
    ['restart CLUSTER', ['', 'n']],
    ['restart CLUSTER', ['now', 'perhaps', '']],
    ['restart CLUSTER -r replica', ['', 'No']],
    ['restart CLUSTER pg2 --pg-version 15.99', [AT, 'n']],
    ['restart CLUSTER pg2 pg1 --scheduled 2036-12-31T03:04', ['N']],
    ['restart CLUSTER --pending', [AT, 'n']],
    ['reload CLUSTER', ['n']],
    ['reload CLUSTER -r leader', ['why', '']],
    ['reinit CLUSTER', ['']],
    ['reinit CLUSTER', ['pg1']],
    ['reinit CLUSTER', ['pg2', 'n']],
    ['reinit CLUSTER pg2 --wait', ['']],
    ['flush CLUSTER restart', ['n']],
    ['flush CLUSTER pg2 restart', ['nein', '']],
    ['remove CLUSTER', ['CLUSTER-']],
    ['remove CLUSTER', ['', 'CLUSTER', 'yes i am aware']],
    ['remove CLUSTER', ['CLUSTER', '', 'Yes I am aware', '', 'pg2']],
    ['demote-cluster CLUSTER --host 127.0.0.1', ['n']],
    ['demote-cluster CLUSTER --restore-command /bin/false', ['what', '']],
  ])('%s %j', async (line, answers) => {
    const { a, b } = await both(line, answers);
    expectSameScreen(a, b);
    expect([a.code, b.code, a.sent, b.sent]).toEqual([1, 1, [], []]);
  });

  test('promote-cluster, of keys that say that the leader is a standby leader', async () => {
    const root = `/service/${lab.scope}-standby/`;
    const role = '"role":"standby_leader"';
    for (const key of ['initialize', 'leader', 'members/pg1', 'members/pg2']) {
      const value = (await lab.dcsGet(key)) ?? '';
      await lab.etcdctl('put', root + key, value.replace(/"role": *"primary"/, role));
    }
    const today = JSON.parse((await lab.dcsGet('config')) ?? '') as object;
    const config = { ...today, standby_cluster: { host: '127.0.0.1' } };
    await lab.etcdctl('put', `${root}config`, JSON.stringify(config));
    for (const answers of [['n'], ['perhaps', '']]) {
      const { a, b } = await both('promote-cluster CLUSTER-standby', answers);
      expectSameScreen(a, b);
      expect([a.code, b.code, a.sent, b.sent]).toEqual([1, 1, [], []]);
      expect(a.screen.join('\n')).toContain('Are you sure you want to promote');
    }
    for (const input of ['', 'perhaps\nn\n']) {
      const line = 'promote-cluster CLUSTER-standby';
      const [b, a] = [await piped('patroni', line, input), await piped('patctl', line, input)];
      expect(a).toEqual(b);
      expect([a.code, a.sent]).toEqual([1, []]);
    }
    await lab.etcdctl('del', '--prefix', root);
  });

  test.each<[line: string, answers: string[]]>([
    ['edit-config CLUSTER -s loop_wait=3', ['n']],
    ['edit-config CLUSTER -p work_mem=5MB', ['q', '']],
    ['edit-config CLUSTER -q', ['']],
  ])('%s %j', async (line, answers) => {
    const before = await lab.dcsGet('config');
    const { a, b } = await both(line, answers);
    expectSameScreen(a, b);
    expect([a.code, b.code, a.sent, b.sent]).toEqual([0, 0, [], []]);
    expect(await lab.dcsGet('config')).toBe(before);
  });
});

describe('Ctrl-C is exit 130, not 1, Ctrl-D exit 1 with both; nothing is sent', () => {
  test.each<[line: string, answers: string[]]>([
    ['restart CLUSTER', [CTRL_C]],
    ['restart CLUSTER', ['', CTRL_D]],
    ['restart CLUSTER', ['', 'y', CTRL_C]],
    ['reload CLUSTER', [CTRL_C]],
    ['reload CLUSTER', [CTRL_D]],
    ['reinit CLUSTER', [CTRL_C]],
    ['reinit CLUSTER', ['pg2', CTRL_D]],
    ['flush CLUSTER restart', [CTRL_C]],
    ['remove CLUSTER', [CTRL_D]],
    ['remove CLUSTER', ['CLUSTER', CTRL_C]],
    ['remove CLUSTER', ['CLUSTER', 'Yes I am aware', CTRL_D]],
    ['demote-cluster CLUSTER --host 127.0.0.1', [CTRL_C]],
    ['edit-config CLUSTER -s loop_wait=3', [CTRL_C]],
    ['edit-config CLUSTER -s loop_wait=3', [CTRL_D]],
    ['switchover CLUSTER', [CTRL_C]],
    ['switchover CLUSTER', ['', '', CTRL_D]],
    ['failover CLUSTER', ['pg2', CTRL_C]],
    ['query CLUSTER --password -c SHOW', [CTRL_C]],
  ])('%s %j', async (line, answers) => {
    const { a, b } = await both(line, answers);
    const pressed = answers.at(-1);
    expect([a.code, b.code, a.sent, b.sent]).toEqual([pressed === CTRL_C ? 130 : 1, 1, [], []]);
    // `Aborted!` stands behind the question, what is said of Ctrl-C below it.
    const theirs = b.screen.join('\n').replace(/(\^C)*\n?Aborted!\n$/, '');
    const ours = a.screen.join('\n');
    expect(ours.trimStart().slice(0, theirs.length)).toBe(theirs);
    expect(ours).toMatch(pressed === CTRL_C ? /interrupted/ : /Aborted!\n/);
  });
});

describe('accepted: the same words, the same calls', () => {
  test.each<[line: string, answers: string[], status: number, calls: number]>([
    ['restart CLUSTER', ['', 'maybe', 'y', ''], 200, 2],
    ['restart CLUSTER pg2 --timeout 30', ['now', 'YES', '15.99'], 200, 1],
    ['restart CLUSTER -r leader --scheduled now --pg-version 15.99', ['y'], 200, 1],
    ['reload CLUSTER', ['y'], 202, 2],
    ['reinit CLUSTER --from-leader', ['pg2', 'y'], 200, 1],
    ['flush CLUSTER restart', ['y'], 200, 0],
  ])('%s %j', async (line, answers, status, calls) => {
    proxies.instead = asIfDone({ status, body: 'done' });
    const { a, b } = await both(line, answers);
    expectSameScreen(a, b);
    expect([a.code, b.code, a.sent]).toEqual([0, 0, b.sent]);
    expect(a.sent).toHaveLength(calls);
  });

  test('restart at a set time: the same call; without effect it is unconfirmed', async () => {
    instead(ANSWER(202, 'done'));
    const { a, b } = await both('restart CLUSTER pg2 --pending', [AT, 'y', '']);
    expect([a.code, b.code, a.sent]).toEqual([5, 0, b.sent]);
    expect(a.sent).toHaveLength(1);
  });

  test('reinit of one that is being copied: cancelled at each confirmation', async () => {
    instead(ANSWER(503, 'reinitialize already in progress'));
    for (const [answers, forced] of [
      [['y', ''], [false]],
      [
        ['y', 'y', 'y', 'n'],
        [false, true, true],
      ],
    ] as const) {
      const { a, b } = await both('reinit CLUSTER pg2', answers);
      expectSameScreen(a, b);
      expect([a.code, b.code, a.sent]).toEqual([1, 0, b.sent]);
      expect(a.sent.map(({ body }) => (body as { force: boolean }).force)).toEqual(forced);
    }
  });

  test('switchover and demote-cluster that Patroni refuses', async () => {
    instead(ANSWER(412, 'no'));
    const now = await both('switchover CLUSTER', ['', 'pg2', '', 'y']);
    expectSameScreen(now.a, now.b);
    expect([now.a.code, now.b.code, now.a.sent]).toEqual([1, 0, now.b.sent]);
    expect(now.a.sent).toHaveLength(1);
    const demoted = await both('demote-cluster CLUSTER --host 127.0.0.1', ['y']);
    expect([demoted.a.code, demoted.b.code, demoted.a.sent]).toEqual([1, 1, demoted.b.sent]);
    expect(demoted.a.sent).toHaveLength(1);
    const asked = (one: Talk) =>
      one.screen.slice(
        0,
        one.screen.findIndex((l) => /^Error/.test(l)),
      );
    expect(asked(demoted.a)).toEqual(asked(demoted.b));
  });

  test('edit-config, there and back', async () => {
    const before = await lab.dcsGet('config');
    const b = await talk('patroni', 'edit-config CLUSTER', ['y']);
    const written = await lab.dcsGet('config');
    await lab.dcsPut('config', before ?? '');
    const a = await talk('patctl', 'edit-config CLUSTER', ['y']);
    expectSameScreen(a, b);
    expect([a.code, b.code, await lab.dcsGet('config')]).toEqual([0, 0, written]);
    expect(written).not.toBe(before);
    await lab.dcsPut('config', before ?? '');
  });

  test('remove: the three questions, and the keys are gone', async () => {
    const scope = `${lab.scope}-f`;
    const answers = [scope, 'Yes I am aware', 'a'];
    const seen: Talk[] = [];
    for (const by of ['patroni', 'patctl'] as const) {
      await lab.etcdctl('put', `/service/${scope}/leader`, 'a');
      const member = '{"role":"primary","state":"running","conn_url":"postgres://h:1/p"}';
      await lab.etcdctl('put', `/service/${scope}/members/a`, member);
      seen.push(await talk(by, `remove ${scope}`, answers));
      expect(await lab.etcdctl('get', '--prefix', `/service/${scope}/`)).toBe('');
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[1]?.code).toBe(0);
  });

  test('query asks for the password unseen', async () => {
    const file = join(folder, 'query.sql');
    writeFileSync(file, 'SELECT 1 AS one');
    const line = `query CLUSTER -U postgres -d postgres --password -f ${file}`;
    const { a, b } = await both(line, [PASSWORDS.superuser]);
    for (const { screen } of [a, b]) {
      expect(screen.join('\n')).toMatch(/^ ?Password: /);
      expect(screen.join('\n')).not.toContain(PASSWORDS.superuser);
    }
    expect([a.code, b.code]).toEqual([0, 0]);
  });
});

describe('answers out of a pipe: stdout, stderr, exit code and calls are the same', () => {
  test.each<[line: string, input: string]>([
    // The end of the input at each question.
    ['restart CLUSTER', ''],
    ['restart CLUSTER', 'now\n'],
    ['restart CLUSTER', '\ny\n'],
    ['reload CLUSTER', ''],
    ['reinit CLUSTER', ''],
    ['reinit CLUSTER', 'pg2\n'],
    ['flush CLUSTER restart', ''],
    ['remove CLUSTER', ''],
    ['remove CLUSTER', 'CLUSTER\n'],
    ['remove CLUSTER', 'CLUSTER\nYes I am aware\n'],
    ['switchover CLUSTER', ''],
    ['switchover CLUSTER', 'pg1\n'],
    ['switchover CLUSTER', '\n\n'],
    ['switchover CLUSTER', '\npg2\nnow\n'],
    [`switchover CLUSTER --scheduled ${AT}`, '\npg2\n'],
    ['failover CLUSTER', ''],
    ['failover CLUSTER', 'pg2\n'],
    ['demote-cluster CLUSTER --host 127.0.0.1', ''],
    ['edit-config CLUSTER -s loop_wait=3', ''],
    ['edit-config CLUSTER', ''],
    // Declined, wrong, empty; the last line without its end; line ends of another system.
    ['restart CLUSTER', 'now\nn\n'],
    ['restart CLUSTER', 'tomorrowish\n'],
    ['restart CLUSTER pg2', '\ny\nbanana'],
    [`restart CLUSTER pg2`, `${AT}\r\nno\r\n`],
    ['restart CLUSTER pg2 --pg-version banana', '\ny\n'],
    ['reload CLUSTER', 'n'],
    ['reload CLUSTER', '\n'],
    ['reload CLUSTER', 'perhaps\r\nnever\nN'],
    ['reinit CLUSTER', '\n'],
    ['reinit CLUSTER', 'pg1\n'],
    ['reinit CLUSTER', 'pg2\nno'],
    ['flush CLUSTER pg2 restart', 'q\n\n'],
    ['remove CLUSTER', 'other\n'],
    ['remove CLUSTER', 'CLUSTER\r\n'],
    ['remove CLUSTER', '\n\nCLUSTER\nyes i am aware\n'],
    ['remove CLUSTER', 'CLUSTER\nYes I am aware\npg2'],
    ['switchover CLUSTER', 'pg2\n'],
    ['switchover CLUSTER', '\npg9\n'],
    ['switchover CLUSTER', '\npg1\n'],
    ['switchover CLUSTER', '\n\ntomorrowish\n'],
    ['switchover CLUSTER', `\npg2\n2036-12-31T03:04:05.123456-03\nn\n`],
    ['switchover CLUSTER', '\npg2\n\nwhy\nn'],
    ['failover CLUSTER', '\n'],
    ['failover CLUSTER', 'pg9\n'],
    ['failover CLUSTER', 'pg2\nn\n'],
    ['demote-cluster CLUSTER --host 127.0.0.1', 'x\nn\n'],
    ['edit-config CLUSTER -s loop_wait=3', 'n\n'],
    ['edit-config CLUSTER -q -p work_mem=5MB', 'q\n\n'],
    ['edit-config CLUSTER', 'no'],
  ])('%s <<< %j', async (line, input) => {
    const before = await lab.dcsGet('config');
    const [b, a] = await Promise.all([piped('patroni', line, input), piped('patctl', line, input)]);
    expect(a).toEqual(b);
    expect([a.sent, await lab.dcsGet('config')]).toEqual([[], before]);
  });

  test.each<[line: string, input: string, status: number, calls: number]>([
    ['restart CLUSTER', '\ny\n\n', 200, 2],
    ['restart CLUSTER pg2', 'now\nYES\r\n15.99', 200, 1],
    ['reload CLUSTER', 'y\n', 202, 2],
    ['reload CLUSTER', 'y\n'.repeat(20_000), 200, 2],
    ['reinit CLUSTER', 'pg2\ny', 200, 1],
    ['flush CLUSTER restart', 'maybe\ny\n', 200, 0],
  ])('%s <<< %j is done', async (line, input, status, calls) => {
    proxies.instead = asIfDone({ status, body: 'done' });
    const b = await piped('patroni', line, input);
    const a = await piped('patctl', line, input);
    expect(a).toEqual(b);
    expect([a.code, a.err, a.sent.length]).toEqual([0, '', calls]);
  });

  test('a time is kept to the microsecond', async () => {
    instead(ANSWER(202, 'done'));
    for (const line of ['switchover CLUSTER', 'restart CLUSTER pg2']) {
      const first = line.startsWith('s') ? '\npg2\n' : '';
      const input = `${first}2036-12-31T03:04:05.123456-03\ny\n\n`;
      const b = await piped('patroni', line, input);
      const a = await piped('patctl', line, input);
      expect(a.sent).toEqual(b.sent);
      expect(JSON.stringify(a.sent)).toContain('2036-12-31T03:04:05.123456-03:00');
      // Nothing came of it, which is seen.
      expect([a.code, b.code]).toEqual([5, 0]);
    }
  });

  test('one that is being copied: the answers to the question for it', async () => {
    instead(ANSWER(503, 'reinitialize already in progress'));
    for (const input of ['pg2\ny\nn\n', 'pg2\ny\ny\n']) {
      const b = await piped('patroni', 'reinit CLUSTER', input);
      const a = await piped('patctl', 'reinit CLUSTER', input);
      expect([a.out, a.sent]).toEqual([b.out, b.sent]);
      if (input.endsWith('n\n')) expect([a.code, b.code]).toEqual([1, 0]);
      else expect([a.code, a.err]).toEqual([b.code, b.err]);
    }
  });

  test('edit-config and remove do what the answers say', async () => {
    const before = (await lab.dcsGet('config')) ?? '';
    const seen: unknown[] = [];
    for (const by of ['patroni', 'patctl'] as const) {
      const edited = await piped(by, 'edit-config CLUSTER', 'y\n');
      seen.push([edited, await lab.dcsGet('config')]);
      await lab.dcsPut('config', before);
      const scope = `${lab.scope}-p`;
      await lab.etcdctl('put', `/service/${scope}/leader`, 'a');
      const member = '{"role":"primary","state":"running","conn_url":"postgres://h:1/p"}';
      await lab.etcdctl('put', `/service/${scope}/members/a`, member);
      seen.push(await piped(by, `remove ${scope}`, `${scope}\nYes I am aware\na\n`));
      seen.push(await lab.etcdctl('get', '--prefix', `/service/${scope}/`));
    }
    expect(seen.slice(3)).toEqual(seen.slice(0, 3));
    expect(seen[2]).toBe('');
    expect(seen[1]).toMatchObject({ code: 0, err: '' });
  });

  test('query --password: out of the pipe where there is no terminal', async () => {
    const file = join(folder, 'piped.sql');
    writeFileSync(file, 'SELECT 1 AS one');
    const line = `query CLUSTER -U postgres -d postgres --password -f ${file}`;
    for (const input of [`${PASSWORDS.superuser}\n`, `\n${PASSWORDS.superuser}`, '', '\n']) {
      const b = await piped('patroni', line, input);
      const a = await piped('patctl', line, input);
      // Python's own warning names a file of Python.
      const err = b.err.replace(/^.*GetPassWarning[^]*?\n\n/, '');
      expect({ ...a, input }).toEqual({ ...b, err, input });
      expect(a.out.join() + a.err).not.toContain(PASSWORDS.superuser);
    }
  });

  test('stdin at its end, a file, or closed', async () => {
    const { PATH = '' } = process.env;
    const shell = async (program: readonly string[], how: string) => {
      const line = [...program, '-c', lab.config, 'reload', lab.scope].join(' ');
      const { out, err, code } = await runProgram('sh', ['-c', `${line} ${how}`], {
        env: { PATH },
      });
      return { out: settledLines(out), err, code };
    };
    const answers = join(folder, 'answers');
    writeFileSync(answers, 'perhaps\nn');
    for (const how of ['</dev/null', `<${answers}`]) {
      const b = await shell([lab.patronictl], how);
      expect(await shell([...PATCTL, '--compat'], how)).toEqual(b);
    }
    // patronictl: a traceback.
    const closed = await shell([...PATCTL, '--compat'], '<&-');
    expect([closed.code, closed.err]).toEqual([1, 'Aborted!\n']);
  });
});

describe('a terminal at stdin, and no terminal at stdout', () => {
  test('the question goes through the pipe, and the answer comes from the terminal', async () => {
    const out = join(folder, 'log');
    for (const by of ['patroni', 'patctl', 'plain'] as const) {
      const program = by === 'patroni' ? [lab.patronictl] : [...PATCTL];
      if (by === 'patctl') program.push('--compat');
      const line = [...program, '-c', lab.config, 'reload', lab.scope].join(' ');
      const shell = ['bash', '-c', `${line} 2>&1 | tee ${out}; exit \${PIPESTATUS[0]}`];
      const { screen, code } = await onTerminal(shell, ['n'], { env });
      expect([code, screen], by).toEqual([1, expect.stringContaining('Error: Aborted reload')]);
      const question = 'Are you sure you want to reload members pg1, pg2? [y/N]: ';
      expect(readFileSync(out, 'utf8'), by).toContain(question);
    }
  });

  test.each(['>/dev/null', '2>/dev/null', '>/dev/null 2>&1'])(
    'without --compat the question is seen with %s',
    async (streams) => {
      const line = [...PATCTL, '-c', lab.config, 'reload', lab.scope].join(' ');
      const { screen, code } = await onTerminal(['bash', '-c', `${line} ${streams}`], ['n'], {
        env,
      });
      expect([code, screen]).toEqual([1, expect.stringContaining('[y/N]: ')]);
    },
  );
});

describe('where fewer questions are asked', () => {
  test('restart --pending with nothing pending: no question', async () => {
    const { a, b } = await both('restart CLUSTER --pending', ['', 'y', ''], ['']);
    expect(b.screen.join('\n')).toContain('restart members ? [y/N]: y');
    const asked = b.screen.findIndex((line) => line.startsWith('Are you sure'));
    expect(a.screen.filter(Boolean)).toEqual(b.screen.slice(0, asked));
    expect([a.code, b.code, a.sent, b.sent]).toEqual([0, 0, [], []]);
  });

  test.each([
    ['restart CLUSTER pg2', ['2020-01-01T00:00Z', 'n'], ['2020-01-01T00:00Z']],
    ['switchover CLUSTER', ['', '', '2020-01-01T00:00Z', 'n'], ['', '', '2020-01-01T00:00Z']],
  ])('%s %j: a time that is past is exit 2', async (line, answers, ours) => {
    const { a, b } = await both(line, answers, ours);
    expect([a.code, b.code, a.sent, b.sent]).toEqual([2, 1, [], []]);
    const at = a.screen.findIndex((text) => text.startsWith('Error: '));
    expect(a.screen.slice(0, at)).toEqual(b.screen.slice(0, at));
  });

  test('while paused: restart --scheduled is refused once the time is known', async () => {
    await lab.rest('pg1', '/config', { method: 'PATCH', body: { pause: true } });
    try {
      const { a, b } = await both('restart CLUSTER pg2', [AT, 'y', ''], [AT]);
      expect([a.code, b.code, a.sent, b.sent]).toEqual([1, 1, [], []]);
      const refused = "Error: Can't schedule restart in the paused state";
      expect([a.screen, b.screen]).toEqual([
        expect.arrayContaining([refused]),
        expect.arrayContaining([refused]),
      ]);
    } finally {
      await lab.rest('pg1', '/config', { method: 'PATCH', body: { pause: null } });
    }
  });
});

describe('without --compat, key by key', () => {
  const LEADER: Step = [/> pg1 +leads now/, KEY.enter];
  const LIST = /> pg2 .*can win +recommended/;

  async function press(line: string, steps: readonly Step[], options: KeysOptions = {}) {
    const words = line.replaceAll('CLUSTER', lab.scope).split(' ');
    const command = [...PATCTL, '-c', lab.config, ...words];
    const from = proxies.calls.length;
    const done = await pressKeys(command, steps, { ...options, env: { ...env, ...options.env } });
    const sent = proxies.calls.slice(from).filter(({ method }) => method !== 'GET');
    return { ...done, sent };
  }

  const NOTHING_SENT = { sent: [], modes: 'icanon echo' };

  test('arrows point at a candidate; another choice is seen before it is taken', async () => {
    const done = await press('switchover CLUSTER', [
      LEADER,
      [LIST, KEY.down],
      [/> any +Patroni chooses/, KEY.up],
      [LIST, KEY.down, KEY.down, KEY.enter],
      [/e\.g\. /, KEY.enter],
      [/Would switch over .* to the[^]*\[y\/N\]: $/, 'n\r'],
    ]);
    expect(done).toMatchObject({ ...NOTHING_SENT, code: 1 });
    expect(done.screen).toContain('Candidate any\n');
    expect(done.screen).toContain('Error: Aborting switchover');
  });

  test('letters search; what matches nothing is never an answer, however often Enter is pressed', async () => {
    const done = await press('switchover CLUSTER', [
      LEADER,
      [LIST, 'pgx'],
      [/"pgx" is not one of: pg2, any/, KEY.enter, KEY.enter, KEY.tab, KEY.down, KEY.backspace],
      [/Candidate pg\n> pg2/, '2\r'],
      [/e\.g\. /, '+soon'],
      [/not understood yet/, KEY.enter],
      [
        /"\+soon" is not a valid time/,
        ...Array<string>(5).fill(KEY.backspace),
        '2020-01-01T00:00Z\r',
      ],
      [/is in the past/, KEY.ctrlC],
    ]);
    expect(done).toMatchObject({ ...NOTHING_SENT, code: 130 });
    expect(done.screen).toContain('Candidate pg2\n');
    expect(done.screen).toContain('interrupted at a question; nothing was sent');
  });

  test.each([
    ['Ctrl-C', KEY.ctrlC, 130],
    ['Ctrl-D', KEY.ctrlD, 1],
    ['Escape', KEY.escape, 1],
  ])('%s leaves the terminal as it was', async (_, key, code) => {
    const done = await press('failover CLUSTER', [[/> pg2/, key]]);
    expect(done).toMatchObject({ ...NOTHING_SENT, code });
    expect(done.raw.lastIndexOf('\x1b[?25h')).toBeGreaterThanOrEqual(
      done.raw.lastIndexOf('\x1b[?25l'),
    );
  });

  test('the member of reinit and restart is chosen too', async () => {
    const reinit = await press('reinit CLUSTER', [
      [/Which member[^]*> pg2/, KEY.enter],
      [/reinitialize members pg2\? \[y\/N\]: $/, 'n\r'],
    ]);
    expect(reinit).toMatchObject({ ...NOTHING_SENT, code: 1 });
    const restart = await press('restart CLUSTER', [
      [/> all +every member: 2/, 'pg1\r'],
      [/e\.g\. /, KEY.enter],
      [/restart members pg1\? \[y\/N\]: $/, 'y\r'],
      [/\[any\] *\n/, '9x\r'],
      [/Invalid PostgreSQL version: 9x/, KEY.ctrlC],
    ]);
    expect(restart).toMatchObject({ ...NOTHING_SENT, code: 130 });
  });

  test.each([40, 80])('at %s columns no line is wider than the terminal', async (columns) => {
    const done = await press('switchover CLUSTER', [LEADER, [/> pg2/, KEY.ctrlC]], { columns });
    const wide = done.screen.split(/[\n\r]/).filter(({ length }) => length > columns);
    expect(wide).toEqual([]);
    expect(done).toMatchObject(NOTHING_SENT);
  });

  test('NO_COLOR: no colour, and the pointer is seen', async () => {
    const done = await press('switchover CLUSTER', [LEADER, [LIST, KEY.ctrlC]], {
      env: { NO_COLOR: '1' },
    });
    expect(done.raw).not.toMatch(/\x1b\[[\d;]*m/);
    expect(done).toMatchObject(NOTHING_SENT);
  });

  test('TERM=dumb: the same lists line by line, and a typing error asks again', async () => {
    const done = await press(
      'switchover CLUSTER',
      [
        [/Primary \[pg1\]: $/, '\r'],
        [/ {2}pg2 +lag [^]*Candidate \[pg2\]: $/, 'pgx\r'],
        [/"pgx" is not one of: pg2, any\nCandidate \[pg2\]: $/, 'pg2\r'],
        [/\[now\]: $/, 'soon\r'],
        [/"soon" is not[^]*\[now\]: $/, '\r'],
        [/\[y\/N\]: $/, 'n\r'],
      ],
      { env: { TERM: 'dumb' } },
    );
    expect(done).toMatchObject({ ...NOTHING_SENT, code: 1 });
    expect(done.raw).not.toContain('\x1b[?25');
  });

  test('a critical finding stands above the first question', async () => {
    await lab.stop('pg2');
    try {
      const done = await press('reload CLUSTER', [[/\[y\/N\]: $/, 'n\r']]);
      const at = done.screen.search(/CRITICAL: .*pg2/);
      expect(at).toBeGreaterThanOrEqual(0);
      expect(at).toBeLessThan(done.screen.indexOf('Are you sure'));
      expect(done).toMatchObject({ ...NOTHING_SENT, code: 1 });
    } finally {
      await lab.start('pg2');
      await lab.waitHealthy();
    }
  });

  test('a refused edit can be edited again, or left', async () => {
    const editor = join(folder, 'worse-then-better');
    const edit = (ttl: number) => `sed -i "s/^ttl: .*/ttl: ${ttl}/" "$1"`;
    const mark = join(folder, 'edited');
    writeFileSync(
      editor,
      `#!/bin/sh\nif [ -e ${mark} ]; then ${edit(31)}; else touch ${mark}; ${edit(1)}; fi\n`,
    );
    chmodSync(editor, 0o755);
    const before = await lab.dcsGet('config');
    const again: Step = [/Edit again\? \[y\/N\]: $/, 'y\r'];
    const done = await press(
      'edit-config CLUSTER',
      [again, [/\+ttl: 31[^]*Apply these changes\? \[y\/N\]: $/, 'n\r']],
      { env: { EDITOR: editor } },
    );
    expect(done).toMatchObject({ ...NOTHING_SENT, code: 1 });
    rmSync(mark);
    const left = await press('edit-config CLUSTER', [[/Edit again\? \[y\/N\]: $/, 'n\r']], {
      env: { EDITOR: editor },
    });
    expect(left).toMatchObject({ ...NOTHING_SENT, code: 1 });
    expect(left.screen).toContain('edit-config --resume');
    expect(await lab.dcsGet('config')).toBe(before);
  });
});
