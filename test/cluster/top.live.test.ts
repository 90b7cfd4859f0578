/** `top` on a real terminal and a real cluster: its events, its keys, and the terminal as it leaves it. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Lab } from '../support/lab/cluster.js';
import { PATCTL } from '../support/run.js';
import { sharedCluster } from '../support/shared.js';
import { openShell, openTmux, type TmuxServer, type TmuxShell } from '../support/tmux.js';

const SMALL = { columns: 80, rows: 24 };
const LARGE = { columns: 200, rows: 50 };
/** Within it a command is over, or a member is down or back, also on a loaded machine. */
const COMMAND_MS = 180_000;

let lab: Lab;
let server: TmuxServer;
let shell: TmuxShell;
/** The terminal before top was ever there. */
let untouched = '';

beforeAll(async () => {
  lab = await sharedCluster({ sync: 'on' });
  server = await openTmux();
  const editor = join(server.folder, 'editor');
  const lag = 'maximum_lag_on_failover';
  writeFileSync(editor, `#!/bin/sh\nsed -i "s/^${lag}: .*/${lag}: 2000000/" "$1"\n`);
  chmodSync(editor, 0o755);
  const program = PATCTL.map((word) => `'${word}'`).join(' ');
  writeFileSync(
    join(server.folder, 'rc'),
    `export EDITOR=${editor}\npatctl() { ${program} -c '${lab.config}' "$@"; }\n`,
  );
});
beforeEach(async () => {
  shell = await openShell(server, SMALL);
  untouched = await shell.modes();
  await shell.enter(`. ${join(server.folder, 'rc')}`);
});
afterEach(async () => {
  await shell.end();
});
afterAll(async () => {
  await server.end();
});

/** Opens it, and waits until it has read the cluster. */
async function openTop(...words: string[]): Promise<string> {
  await shell.enter(`clear; ${['patctl', 'top', lab.scope, ...words].join(' ')}`);
  return await shell.seen(/leads, 2 replicas[^]* q quit$/);
}

/** The shell has the terminal, as it was before; `code`: the exit code. */
async function expectLeft(code: number): Promise<void> {
  await shell.seen(new RegExp(`ready ${code}>$`));
  expect(await shell.isTaken()).toBe(false);
  expect(await shell.modes()).toBe(untouched);
}

/** Moves the pointer to the member. */
async function point(name: string): Promise<void> {
  await shell.press('Home', ...Array.from({ length: Number(name.slice(2)) - 1 }, () => 'j'));
  await shell.seen(new RegExp(`^> ${name} `, 'm'));
}

/** The leader, its synchronous standby and the other replica, once there is one. */
async function roles(): Promise<{ leader: string; sync: string; other: string }> {
  const leader = await lab.waitHealthy();
  const sync = await eventually('a synchronous standby', 60_000, async () => {
    const { leader: of, sync_standby: names } = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as {
      leader?: string;
      sync_standby?: string;
    };
    return of === leader && names;
  });
  const other = ['pg1', 'pg2', 'pg3'].find((name) => name !== leader && name !== sync) ?? '';
  return { leader, sync, other };
}

describe('the screen', () => {
  test('at 80x24 a member stops and comes back; at 200x50 it is drawn whole', async () => {
    const { other } = await roles();
    const small = await openTop();
    expect(await shell.isTaken()).toBe(true);
    const lines = small.replace(/\n$/, '').split('\n');
    expect(lines).toHaveLength(SMALL.rows);
    expect(lines[0]).toMatch(new RegExp(`^${lab.scope} +\\d\\d:\\d\\d:\\d\\dZ every 2 s$`));
    expect(lines.filter((line) => /^[> ] pg\d/.test(line))).toHaveLength(3);
    await shell.seen(/^Findings {2}none\n\nEvents\n/m);

    // Looked for from the beginning: later events move an event out of a small screen.
    const left = new RegExp(`^ {2}\\d\\d:\\d\\d:\\d\\dZ .*${other} (?:has left|left)`, 'm');
    await Promise.all([shell.seen(left, COMMAND_MS), lab.stop(other)]);
    const streams = new RegExp(`^ {2}\\d\\d:\\d\\d:\\d\\dZ ${other} streams from `, 'm');
    await Promise.all([shell.seen(streams, COMMAND_MS), lab.start(other)]);

    await shell.resize(LARGE);
    const large = await shell.seen(/ Host [^]*\? help {2}q quit$/);
    expect(large.replace(/\n$/, '').split('\n')).toHaveLength(LARGE.rows);
    expect(large).toContain(`${lab.member(other).host}:${lab.member(other).port}`);
    await shell.resize(SMALL);
    // The large screen has this last line too.
    await shell.seen(/^(?![^]* Host )[^]*Enter details[^]*q quit$/);
    await shell.press('q');
    await expectLeft(0);
  }, 480_000);
});

/** At the end of a command that a key opened; top may hold what is typed before it has asked. */
const BACK = /exit 0: [^]*\nPress Enter to return to top\.$/;

/** Presses the key, is shown the command line, and runs it. */
async function opens(key: string, words: string): Promise<void> {
  // A line that is too long for the screen goes on after a backslash.
  const line = words.replace('CLUSTER', lab.scope).replaceAll(' ', '[\\s\\\\]+');
  await shell.press(key);
  await shell.seen(new RegExp(`^patctl\\S* [^]*${line}\\n\\n[^]*Enter run it {2}Esc back$`, 'm'));
  await shell.press('Enter');
}

/** Back on the screen of top, which shows that. */
async function comesBack(shown: RegExp): Promise<void> {
  await shell.seen(BACK, COMMAND_MS);
  // A moment after it has asked: what comes at once was typed before.
  await eventually(
    'top takes Enter',
    30_000,
    async () => {
      await shell.press('Enter');
      return await shell.isTaken();
    },
    300,
  );
  // Where Enter was pressed once more than was needed, it has opened the page of the member.
  await shell.press('Escape');
  await shell.seen(shown);
}

describe('the keys that act', () => {
  test('show the command line, the plan and the question, and are followed to the end', async () => {
    const { sync } = await roles();
    // Room for all events of a change.
    await shell.resize(LARGE);
    await openTop();

    await point(sync);
    await opens('s', `switchover CLUSTER --candidate ${sync}`);
    await shell.seen(/\? Primary\n> /);
    await shell.press('Enter');
    await shell.seen(/When should the switchover take place \[now\]/);
    await shell.press('Enter');
    await shell.seen(/Would switch over [^]*\[y\/N\]:$/);
    await shell.enter('y');
    await comesBack(new RegExp(`^> ${sync} .* primary `, 'm'));
    expect(await lab.leader()).toBe(sync);

    const { sync: next, other } = await roles();
    await point(next);
    await opens('f', `failover CLUSTER --candidate ${next}`);
    await shell.seen(/Would fail over [^]*\[y\/N\]:$/);
    await shell.enter('y');
    await comesBack(new RegExp(`^> ${next} .* primary `, 'm'));

    await roles();
    await point(other);
    const before = lab.postmasterPid(other);
    await opens('r', `restart CLUSTER ${other} --wait`);
    await shell.seen(/When should the restart take place/);
    await shell.press('Enter');
    await shell.seen(/\[y\/N\]:$/);
    await shell.enter('y');
    await shell.seen(/less than|Postgres version/i);
    await shell.press('Enter');
    await comesBack(new RegExp(`^> ${other} .* replica .* streaming `, 'm'));
    const restarted = lab.postmasterPid(other);
    expect([before, null]).not.toContain(restarted);

    await opens('R', `reinit CLUSTER ${other} --wait`);
    await shell.seen(/\[y\/N\]:$/);
    await shell.enter('y');
    await comesBack(new RegExp(`^> ${other} .* replica .* streaming `, 'm'));
    expect([restarted, null]).not.toContain(lab.postmasterPid(other));

    await opens('p', 'pause CLUSTER --wait');
    await comesBack(/the cluster is paused: /);
    await opens('p', 'resume CLUSTER --wait');
    await comesBack(/the cluster is no longer paused/);

    await opens('e', 'edit-config CLUSTER --wait');
    await shell.seen(/^\+maximum_lag_on_failover: 2000000$[^]*\[y\/N\]:$/m);
    await shell.enter('y');
    await comesBack(/maximum_lag_on_failover changed from 1048576 to 2000000/);

    await shell.press('q');
    await expectLeft(0);
  }, 480_000);
});

describe('the terminal', () => {
  /** Ctrl-Z stops it and gives the terminal back; fg comes back to what was there. */
  async function stopsAndContinues(seen: RegExp, times = 1): Promise<void> {
    // One that comes with fg is taken for a part of the last one: a person presses again.
    await eventually('it stops', 30_000, async () => {
      await shell.press(...Array.from({ length: times }, () => 'C-z'));
      return await shell.seen(/Stopped[^]*ready 148>$/, 3000);
    });
    expect(await shell.isTaken()).toBe(false);
    expect(await shell.modes()).toBe(untouched);
    await shell.enter('fg');
    await shell.seen(seen);
  }
  const SCREEN = /leads, 2 replicas[^]* q quit$/;

  test('Ctrl-Z and fg: of the screen, also twice at once, and of a command at each kind of question', async () => {
    const { sync } = await roles();
    await openTop();
    await stopsAndContinues(SCREEN);
    await stopsAndContinues(SCREEN, 2);
    await stopsAndContinues(SCREEN);
    expect(await shell.isTaken()).toBe(true);
    await point(sync);
    await opens('s', `switchover CLUSTER --candidate ${sync}`);
    await shell.seen(/\? Primary\n> /);
    await stopsAndContinues(/\? Primary\n> pg\d .*\n.*Esc ends$/);
    await shell.press('Enter');
    await shell.seen(/\[now\][^]*e\.g\. /);
    // Below the last prompt of the shell: the question before it is still on the screen.
    await stopsAndContinues(/\[now\][^]*e\.g\. (?![^]*ready 148>)/);
    await shell.press('Enter');
    await shell.seen(/\[y\/N\]:$/);
    // bash names the job once the terminal is no longer its own: it would take what is typed before.
    await stopsAndContinues(/ready \d+> fg\n(?![^]*ready \d+>)\s*\S/);
    await shell.enter('n');
    await shell.seen(/exit 1: [^]*\nPress Enter to return to top\.$/);
    await shell.press('C-c');
    await expectLeft(1);
  }, 240_000);

  test('Ctrl-C at each kind of question, and SIGHUP', async () => {
    const { sync } = await roles();
    const questions = [/\? Primary\n> /, /\[now\][^]*e\.g\. /, /\[y\/N\]:$/];
    for (let at = 0; at < questions.length; at += 1) {
      await openTop();
      await point(sync);
      await opens('s', `switchover CLUSTER --candidate ${sync}`);
      for (const before of questions.slice(0, at)) {
        await shell.seen(before);
        await shell.press('Enter');
      }
      await shell.seen(questions[at] ?? /^$/);
      await shell.press('C-c');
      await shell.seen(/interrupted at a question; nothing was sent/);
      await expectLeft(130);
    }
    await openTop();
    process.kill(await shell.child(), 'SIGHUP');
    await expectLeft(0);
    expect(await lab.leader()).not.toBe(sync);
  }, 240_000);
});
