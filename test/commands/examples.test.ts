/** The recordings that are shipped show what they are named after, without a network. */
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { ChangeDocument } from '../../src/actions/switchover/conclusion.js';
import type { CheckDocument } from '../../src/cluster/documents/check-document.js';
import { runFake } from '../support/fake-world.js';

const FOLDER = new URL('../../docs/examples/', import.meta.url);

const SHOWS: Record<string, string> = {
  'lost-slot.json.gz': 'slot_lost',
  'sync-mismatch.json.gz': 'sync_role_mismatch',
  'two-primaries.json.gz': 'two_primaries',
};

test('every recording is accounted for', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json.gz'));
  expect(files.sort()).toEqual(Object.keys(SHOWS).sort());
});

test.each(Object.entries(SHOWS))('%s shows %s, and no secret', async (name, code) => {
  const file = new URL(name, FOLDER).pathname;
  const nobody = { keys: {} };
  const run = await runFake(nobody, ['check', '-f', 'json', '--snapshot', file]);
  const [one] = (JSON.parse(run.out) as CheckDocument).clusters;
  const critical = one?.findings.filter(({ severity }) => severity === 'critical');
  expect(critical?.map((finding) => finding.code)).toEqual([code]);
  expect(run.code).toBe(2);
  for (const command of ['list', 'topology', 'status', 'quorum']) {
    const shown = await runFake(nobody, [command, '--snapshot', file]);
    expect({ command, code: shown.code, err: shown.err }).toEqual({ command, code: 0, err: '' });
  }
  expect(gunzipSync(readFileSync(file)).toString()).not.toMatch(/lab-secret|:\/\/[^/"]*@/);
});

test('a change of leader can be planned on a recording, and only planned', async () => {
  const file = new URL('sync-mismatch.json.gz', FOLDER).pathname;
  const nobody = { keys: {} };
  for (const command of ['switchover', 'failover']) {
    const args = [command, '--candidate', 'pg2', '--snapshot', file];
    const real = await runFake(nobody, [...args, '--force']);
    expect({ command, code: real.code, out: real.out }).toEqual({ command, code: 2, out: '' });
    const dry = await runFake(nobody, [...args, '--dry-run', '-f', 'json']);
    expect(dry.code).toBe(1);
    const { code: how, dryRun, sent, plan } = JSON.parse(dry.out) as ChangeDocument;
    expect({ how, dryRun, sent }).toEqual({ how: 'refused', dryRun: true, sent: null });
    expect(plan).toMatchObject({ kind: command, cluster: 'ex-sync-mismatch', candidate: 'pg2' });
    expect(plan.refusedBy).toContain('data_loss');
  }
});
