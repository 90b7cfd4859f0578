/** A reader that has gone, a disk that is full: what was asked is seen through, and ends as it ended. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { Lab } from '../support/lab/cluster.js';
import { PASSWORDS } from '../support/lab/configs.js';
import { cleanEnv, runProgram } from '../support/lab/process.js';
import { PATCTL } from '../support/run.js';
import { sharedCluster } from '../support/shared.js';

let lab: Lab;
beforeAll(async () => {
  lab = await sharedCluster({ sync: 'on' });
});

/** `script`, in which `patctl` runs it on the cluster; its last line is to be an exit code. */
async function shell(script: string): Promise<{ code: string | undefined; err: string }> {
  const program = PATCTL.map((word) => `'${word}'`).join(' ');
  const patctl = `patctl() { ${program} -c '${lab.config}' "$@"; }`;
  const { out, err } = await runProgram('bash', ['-c', `${patctl}\n${script}`], {
    env: cleanEnv('/nonexistent', { PGPASSWORD: PASSWORDS.superuser }),
  });
  return { code: out.trimEnd().split('\n').at(-1), err };
}

const CODE = '; echo "${PIPESTATUS[0]}"';

test('a name that is wrong is an error, whether or not its words were read', async () => {
  const nobody = 'patctl list nosuch 2>&1 >/dev/null | :';
  expect((await shell(nobody + CODE)).code).toBe('1');
  expect((await shell('patctl reload nosuch --force | :' + CODE)).code).toBe('1');
});

test('a change is followed to its end after the reader of its progress has gone', async () => {
  const pause = await shell('patctl pause --wait | :' + CODE);
  expect([pause.code, pause.err]).toEqual(['0', '']);
  expect(JSON.parse((await lab.dcsGet('config')) ?? '')).toMatchObject({ pause: true });
  const resume = await shell('patctl resume --wait 2>&1 | head -c 1 >/dev/null' + CODE);
  expect(resume.code).toBe('0');
  expect(JSON.parse((await lab.dcsGet('config')) ?? '')).not.toHaveProperty('pause');
});

test('a command that writes without end stops when its reader closes the pipe', async () => {
  expect((await shell('patctl list -w 0.2 | head -1 >/dev/null' + CODE)).code).toBe('0');
  const rows = `patctl query -U postgres -c 'select generate_series(1, 1000000000)' | head -3 >/dev/null`;
  expect((await shell(rows + CODE)).code).toBe('0');
});

test('a full disk: the output is lost, and that is said', async () => {
  for (const words of ['list', 'status -f json', 'pause', 'resume']) {
    const { code, err } = await shell(`patctl ${words} >/dev/full; echo "$?"`);
    expect([code, err], words).toEqual([
      '5',
      expect.stringMatching(/^Error: the output is lost: ENOSPC.*\n$/),
    ]);
  }
  expect((await shell(`patctl list nosuch >/dev/full; echo "$?"`)).code).toBe('1');
});

test('a recording stays whole: kill -9 in the middle, a torn line, a full disk, SIGTERM, a reader that goes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'patctl-record-'));
  const file = join(folder, 'r.jsonl');
  const record = `${PATCTL.map((word) => `'${word}'`).join(' ')} -c '${lab.config}' record -o '${file}'`;
  const { code, err } = await shell(`
    : > '${file}'
    until_has() { timeout 60 bash -c "until [ \\"\\$(grep -c '$1' '${file}')\\" -ge $2 ]; do sleep 0.1; done" || exit 9; }
    ${record} & pid=$!
    until_has '"kind":"snapshot"' 1
    { kill -9 $pid; wait $pid; } 2>/dev/null
    printf '{"kind":"change","at":"20' >> '${file}'
    ${record} & pid=$!
    until_has '"kind":"snapshot"' 2
    patctl pause >/dev/null || exit 8
    until_has '"code":"paused"' 1
    patctl resume >/dev/null || exit 7
    until_has '"code":"resumed"' 1
    kill -TERM $pid; wait $pid || exit 6
    before=$(cksum < '${file}')
    (trap '' XFSZ; ulimit -f 1; ${record} 2>/dev/null); [ $? = 1 ] || exit 5
    [ "$before" = "$(cksum < '${file}')" ] || exit 4
    patctl record | head -1 | grep -q '"kind":"start"' || exit 3
    echo 0`);
  expect([code, err]).toEqual(['0', '']);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const kinds = lines.map((line) => (JSON.parse(line) as { kind: string }).kind);
  const marks = kinds.filter((kind) => ['start', 'snapshot', 'end'].includes(kind));
  expect(marks).toEqual(['start', 'snapshot', 'start', 'snapshot', 'end']);
  const [live, recorded] = [
    await shell('patctl list; echo 0'),
    await shell(`patctl list --snapshot '${file}'; echo 0`),
  ];
  expect([live.code, recorded.code, recorded.err]).toEqual(['0', '0', '']);
  rmSync(folder, { recursive: true });
});
