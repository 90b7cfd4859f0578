/**
 * What people's scripts do with patronictl, run with the real one and with patctl under its name: the same
 * stdout, the same exit code, and on stderr at least what patronictl says there.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureAnsible } from '../support/programs/ansible.js';
import { ensureTools } from '../support/setup.js';
import type { Lab } from '../support/lab/cluster.js';
import { PASSWORDS } from '../support/lab/configs.js';
import { cleanEnv, runProgram, type ProgramResult } from '../support/lab/process.js';
import { BUNDLE, PATCTL } from '../support/run.js';
import { settledLines } from '../support/settled.js';
import { sharedCluster } from '../support/shared.js';

let lab: Lab;
let folder = '';
let ansible = '';
/** For scripts that name members. */
let names = { L: '', R: '', S: '' };

beforeAll(async () => {
  await ensureTools(['jq', 'setsid', 'script']);
  ansible = await ensureAnsible();
  lab = await sharedCluster({ sync: 'on' });
  folder = mkdtempSync(join(tmpdir(), 'patctl-fragments-'));
  program('theirs', `exec '${lab.patronictl}' "$@"`);
  mkdirSync(join(folder, 'named'));
  const named = join(folder, 'named/patronictl');
  const [node = '', bundle] = PATCTL;
  symlinkSync(bundle === undefined ? node : BUNDLE, named);
  program('ours', `exec ${bundle === undefined ? '' : `'${node}' `}'${named}' "$@"`);
  const L = (await lab.dcsGet('leader')) ?? '';
  const sync = JSON.parse((await lab.dcsGet('sync')) ?? '{}') as { sync_standby?: string };
  const S = sync.sync_standby ?? '';
  const R = lab.members.map(({ name }) => name).find((name) => name !== L && name !== S) ?? '';
  names = { L, R, S };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A folder for PATH in which `patronictl` is one of the two. */
function program(name: string, line: string): void {
  mkdirSync(join(folder, name));
  const file = join(folder, name, 'patronictl');
  writeFileSync(file, `#!/bin/sh\n${line}\n`);
  chmodSync(file, 0o755);
}

/** The script in a bash of its own, in an empty folder, with no terminal and nothing in stdin. */
async function fragment(who: 'ours' | 'theirs', script: string): Promise<ProgramResult> {
  const cwd = mkdtempSync(join(folder, 'cwd-'));
  const { PATH: path = '', ...env } = cleanEnv(cwd, {
    C: lab.scope,
    ...names,
    PATRONICTL_CONFIG_FILE: lab.config,
    PGPASSWORD: PASSWORDS.superuser,
    PAGER: 'cat',
    ANSIBLE_LOCALHOST_WARNING: 'False',
    ANSIBLE_INVENTORY_UNPARSED_WARNING: 'False',
    ANSIBLE_STDOUT_CALLBACK: 'minimal',
  });
  return runProgram('bash', ['-c', script], {
    cwd,
    env: { ...env, PATH: `${join(folder, who)}:${ansible}:${path}` },
    timeoutMs: 120_000,
  });
}

/** Times and positions are not the same twice. The same holds for durations and temporary names of Ansible. */
function settled(text: string): string[] {
  const lines = text
    .replaceAll('\r', '')
    .replace(/"(start|end|delta)": "[^"]*"/g, '"$1": "TIME"')
    .replace(/[0-9A-F]+\/[0-9A-F]{7,8}\b/g, 'LSN')
    .replace(/(e\.g\. )\d{4}-\d\d-\d\dT\d\d:\d\d/g, '$1NEXT HOUR')
    .replace(/(\\n|\n)\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+/g, '$1TIME');
  return settledLines(lines).map((line) => line.replace(/-{4,}/g, '---').replace(/ +/g, ' '));
}

/** In each, $C is the cluster, $L its leader, $S its synchronous standby and $R the other replica. */
const FRAGMENTS: [title: string, script: string][] = [
  [
    'awk finds the leader',
    `patronictl list $C | awk -F'|' '$4 ~ /Leader/ { gsub(/ /, "", $2); print $2 }'`,
  ],
  ['grep counts the members that stream', `patronictl list "$C" | grep -cE 'running|streaming'`],
  ['cut takes two columns', `patronictl list $C | tail -n +4 | head -n -1 | cut -d'|' -f2,5`],
  [
    'sed and tr take the hosts',
    `patronictl list $C | sed -n 's/.*| *\\([0-9.]*:[0-9]*\\) *|.*/\\1/p' | tr '\\n' ,`,
  ],
  [
    'tsv, without its head',
    `patronictl list $C -f tsv | tail -n +2 | while IFS=$'\\t' read -r c m h r s rest; do echo "$m=$r=$s"; done`,
  ],
  [
    'jq finds the leader',
    `patronictl list $C -f json | jq -r '.[] | select(.Role == "Leader") | .Member'`,
  ],
  [
    'jq refuses lag',
    `patronictl list $C -f json | jq -e 'map(select(.Role != "Leader") | ."Receive Lag") | all(. < 1000000)'`,
  ],
  [
    'jq keeps the order and spaces',
    `patronictl list $C -e --format json | jq -c 'map(keys_unsorted)'`,
  ],
  [
    'yaml, read by grep',
    `patronictl list $C -f yaml | grep -E '^(- Cluster|  (Member|Role|State)):' | sort`,
  ],
  ['topology, indented', `patronictl topology $C | awk 'NR > 3' | cut -d'|' -f2`],
  [
    'show-config by grep, or the script ends',
    `patronictl show-config $C | grep -q '^ttl: ' || exit 7; echo configured`,
  ],
  ['show-config by awk', `patronictl show-config | awk '/maximum_lag/ { print $2 }'`],
  [
    'history has lines',
    `patronictl history $C -f json | jq 'map(length)'; patronictl history $C -f tsv | head -1`,
  ],
  [
    'version by grep -o',
    `patronictl version $C | grep -oE '[0-9]+\\.[0-9]+\\.[0-9]+' | sort | uniq -c`,
  ],
  [
    'dsn in a substitution',
    `d=$(patronictl dsn $C -r replica) && echo "$d" | grep -oE 'host=[^ ]+' | sort -u | wc -l; patronictl dsn $C -m $L`,
  ],
  [
    'query one value',
    `patronictl query $C -r primary -U postgres -c 'select 40 + 2 as answer' --format json | jq -r '.[0].answer'`,
  ],
  [
    'query with a file, tsv',
    `echo 'select 1 as a, null as b' > q.sql; patronictl query $C -m $R -U postgres -f q.sql --format tsv | od -c | head -3`,
  ],
  [
    'query, its password out of a pipe',
    `unset PGPASSWORD; echo '${PASSWORDS.superuser}' | patronictl query $C -m $L -U postgres --password -c 'select 1' 2>/dev/null`,
  ],
  [
    'an array under set -euo pipefail',
    `set -euo pipefail; mapfile -t m < <(patronictl list $C -f json | jq -r '.[].Member'); echo "\${#m[@]}: \${m[*]}"`,
  ],
  [
    'until all run',
    `until patronictl list $C -f json | jq -e 'all(.[]; .State == "running" or .State == "streaming")' > /dev/null; do sleep 0.5; done; echo healthy`,
  ],
  ['two lines of a watch', `timeout -s INT 20 patronictl list $C -w 1 | head -2 | wc -l`],
  ['a session without a terminal', `setsid -w patronictl list $C < /dev/null | head -3`],
  ['reload, with its input closed', `patronictl reload $C <&- > /dev/null 2>&1; echo "rc=$?"`],
  ['reload, with nothing in its input', `setsid -w patronictl reload $C < /dev/null; echo "rc=$?"`],
  ['reload, answered by echo', `echo y | patronictl reload $C $R`],
  ['reload, answered by yes', `yes | patronictl reload $C`],
  ['reload, declined by a here-document', `patronictl reload $C <<< n; echo "rc=$?"`],
  [
    'reload into a log',
    `patronictl reload $C --force 2>&1 | tee log | grep -c 'Reload request received'; echo "\${PIPESTATUS[*]}"`,
  ],
  [
    'reload in the background',
    `nohup patronictl reload $C $R --force > log 2>&1 & wait $!; echo $?; grep -v '^[+|]' log`,
  ],
  [
    'restart one, answers as kubectl exec -i brings them',
    `printf 'now\\ny\\n\\n' | cat | patronictl restart $C $R`,
  ],
  ['restart, yes is no time', `yes | patronictl restart $C $R 2>&1 | tail -1`],
  [
    'restart of a member that is not there',
    `patronictl restart $C pg9 --force > /dev/null || echo "rc=$?"`,
  ],
  [
    'restart only what is pending',
    `patronictl restart $C --pending --force | grep -v '^[+|]' ; echo "rc=\${PIPESTATUS[0]}"`,
  ],
  [
    'a restart for later, seen in the list, and withdrawn',
    `patronictl restart $C $R --force --scheduled 2036-12-31T03:04:05+02:00 > /dev/null; patronictl list $C -f json | jq -r '.[] | ."Scheduled restart" // empty'; patronictl flush $C restart --force | grep -v '^[+|]'`,
  ],
  [
    'flush where nothing is',
    `patronictl flush $C switchover; patronictl flush $C $R restart --force`,
  ],
  [
    'pause twice, with || true',
    `patronictl pause --wait; patronictl pause || true; patronictl list $C | tail -1; patronictl resume --wait; patronictl resume || echo "rc=$?"`,
  ],
  [
    'pause under a limit of time',
    `timeout 60 patronictl pause $C --wait > /dev/null && timeout 60 patronictl resume $C --wait`,
  ],
  [
    'edit-config sets, sets again, removes',
    `for v in 5MB 5MB null; do patronictl edit-config $C --force -q -p work_mem=$v; echo "rc=$?"; done`,
  ],
  [
    'edit-config shows what it changes',
    `patronictl edit-config $C --force -s maximum_lag_on_failover=1000001 | grep '^[+-]'; patronictl edit-config $C --force -q -s maximum_lag_on_failover=1048576`,
  ],
  [
    'edit-config out of a pipe, not forced',
    `echo 'loop_wait: 3' | patronictl edit-config $C --apply - 2> /dev/null | grep -E '^[+-]l|^Use'`,
  ],
  [
    'edit-config of a file, declined',
    `echo 'loop_wait: 3' > new.yml; echo n | patronictl edit-config $C --apply new.yml; echo "rc=$?"`,
  ],
  [
    'a ttl that Patroni adjusts',
    `patronictl edit-config $C --force -q -s ttl=21; echo "rc=$?"; patronictl show-config $C | grep ttl; patronictl edit-config $C --force -q -s ttl=20`,
  ],
  [
    'switchover, no at the end',
    `printf "$L\\n$S\\nnow\\nn\\n" | patronictl switchover $C; echo "rc=$?"`,
  ],
  [
    'switchover from a member that does not lead',
    `patronictl switchover $C --leader $R --force 2>&1 | grep ^Error; echo "rc=\${PIPESTATUS[0]}"`,
  ],
  [
    'switchover to a member that is not there',
    `patronictl switchover $C --candidate pg9 --force 2>&1 | grep ^Error`,
  ],
  [
    'switchover at a time that is none',
    `patronictl switchover $C --force --scheduled later 2>&1 | grep -o 'Unable to parse scheduled timestamp'`,
  ],
  [
    'failover without a candidate',
    `echo | patronictl failover $C 2>&1 | tail -1; patronictl failover $C --force; echo "rc=$?"`,
  ],
  [
    'failover to a member that is not synchronous, declined',
    `printf "$R\\nn\\n" | patronictl failover $C; echo "rc=$?"`,
  ],
  [
    'failover to a member that is not synchronous, the input ends',
    `echo $R | patronictl failover $C; echo "rc=$?"`,
  ],
  ['reinit, declined', `printf 'n\\n' | patronictl reinit $C $R; echo "rc=$?"`],
  [
    'remove, another name',
    `printf 'other\\nYes I am aware\\n' | patronictl remove $C; echo "rc=$?"`,
  ],
  ['remove, the input ends', `echo $C | patronictl remove $C; echo "rc=$?"`],
  [
    'a locale of ASCII only',
    `env -i PATH="$PATH" HOME=/ LANG=C patronictl -c "$PATRONICTL_CONFIG_FILE" list $C | head -3`,
  ],
  ['on a terminal of its own', `script -qec 'patronictl list "$C"' /dev/null`],
  ['Ansible: command', `ansible localhost -c local -m command -a "patronictl list $C -f tsv"`],
  [
    'Ansible: command that fails',
    `ansible localhost -c local -m command -a "patronictl switchover $C --leader $R --force" | grep -oE 'FAILED \\| rc=1|Error: Member .* is not the leader'`,
  ],
  [
    'Ansible: expect',
    `ansible localhost -c local -e ansible_python_interpreter=$(command -v python) -m expect -a '{"command": "patronictl reload '$C'", "responses": {"Are you sure": "y"}}'`,
  ],
  [
    'the last line of what is refused',
    `for a in "switchover $C --leader $R" "switchover $C --candidate $L" "failover $C --candidate pg9" "failover $C"; do patronictl $a --force 2>&1 | tail -1; done`,
  ],
];

/** No switchover here comes to its end: each is refused or declined. */
const isRead = (script: string): boolean =>
  !/patronictl (reload|restart|flush|pause|resume|edit-config|reinit)\b/.test(script);

test.each(FRAGMENTS)('%s', async (_, script) => {
  // What changes the cluster leaves it as it was, for the other one and for the next: once the members' keys show it.
  await lab.waitHealthy();
  const first = fragment('theirs', script);
  if (!isRead(script)) {
    await first;
    await lab.waitHealthy();
  }
  const [theirs, ours] = await Promise.all([first, fragment('ours', script)]);
  const shown = (run: ProgramResult) => ({ out: settled(run.out), code: run.code });
  expect(shown(ours), ours.err).toEqual(shown(theirs));
  // Hints stand below, and warnings above, what patronictl says.
  for (const line of settled(theirs.err)) expect(settled(ours.err)).toContain(line);
  if (theirs.err === '') expect(ours.err).toBe('');
});
