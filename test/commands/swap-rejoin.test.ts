/** `swap --rejoin` itself: `west` was promoted, and `demo` comes back in a way that a test chooses. */
import { expect, test } from 'vitest';
import { answer, lost } from '../support/fake-members.js';
import { twoSites, type Swapped, type TwoSites } from '../support/two-sites.js';

const TOLD = 'demo pg1 {"host":"10.0.1.1","port":5431}';
const WRITTEN = { host: '10.0.1.1', port: 5431 };

/** `demo` is a primary again on timeline 3, with 256 bytes after the end of it; `west` leads on timeline 4. */
function back(): TwoSites {
  const sites = twoSites();
  sites.there.obey(null);
  sites.here.timeline = 3;
  sites.here.onPatch = (_, standby) => {
    sites.here.writes(standby);
    sites.here.roles['pg1'] = 'standby';
    sites.here.timeline = 4;
    return answer(200);
  };
  return sites;
}

/** Its DCS only; no member of it runs. */
function stopped(): TwoSites {
  const sites = back();
  const { here } = sites;
  for (const key of ['leader', 'members/pg1', 'members/pg2', 'members/pg3'])
    here.dcs.remove(`/service/demo/${key}`);
  for (const name of ['pg1', 'pg2', 'pg3']) here.roles[name] = 'silent';
  return sites;
}

const run = (sites: TwoSites, acceptDataLoss = true, dryRun = false): Promise<Swapped> =>
  sites.run({ rejoin: { acceptDataLoss }, dryRun });
const steps = ({ document }: Swapped): string[] =>
  document.swap?.steps.map(({ step }) => step) ?? [];
const end = ({ ending, document }: Swapped) => [ending, document.code, document.changed];
const words = ({ document }: Swapped) => [document.message, ...(document.hint ?? '').split('\n')];

async function configOf({ here }: TwoSites): Promise<Record<string, unknown>> {
  const { kvs } = await here.dcs.range('/service/demo/');
  const text = kvs.find(({ key }) => key === '/service/demo/config')?.value ?? '{}';
  return JSON.parse(text) as Record<string, unknown>;
}

test('a primary again: told once, followed until every member streams', async () => {
  const sites = back();
  const done = await run(sites);
  expect(end(done), done.document.message).toEqual(['ok', 'done', true]);
  expect([sites.sent, steps(done)]).toEqual([[TOLD], ['demoting', 'follows', 'streaming']]);
  expect(done.document.swap).toMatchObject({
    ...{ plan: null, demoted: true, promoted: false },
    rejoin: { isWritten: false, standbyCluster: WRITTEN, refusedBy: [] },
  });
});

test('its own WAL is named and kept while the loss is not accepted; --dry-run sends nothing', async () => {
  const sites = back();
  const done = await run(sites, false);
  expect([end(done), sites.sent]).toEqual([['error', 'rejoin_refused', false], []]);
  expect(words(done)[0]).toMatch(
    /^not rejoined: what demo committed .*: pg1 has 256 bytes of its own/,
  );
  const dry = back();
  expect([end(await run(dry, true, true)), dry.sent]).toEqual([['ok', 'would_go', false], []]);
});

test('nothing runs there: written into its DCS, and the members that start are followed', async () => {
  const sites = stopped();
  const done = await run(sites);
  expect([end(done), sites.sent]).toEqual([['unconfirmed', 'not_started', true], []]);
  expect(words(done)).toEqual([
    'demo is a standby cluster of west in its configuration, and no member of it runs yet (--deadline)',
    'start Patroni on its members; then run the command again, which follows them, or see: patctl list demo',
  ]);
  expect(done.err).toContain('Start Patroni on the members of demo now');
  // The rest of the configuration is kept.
  expect(await configOf(sites)).toEqual({
    ...{ ttl: 30, loop_wait: 10, postgresql: { use_slots: true } },
    standby_cluster: WRITTEN,
  });
});

test('the keys of members that were stopped do not stand for members that run', async () => {
  const sites = stopped();
  sites.here.dcs.put('/service/demo/members/pg2', '{"state":"stopped"}');
  expect(end(await run(sites))).toEqual(['unconfirmed', 'not_started', true]);
});

test('its DCS falls silent once it was written: nothing is said of its members', async () => {
  const sites = back();
  let since = 0;
  sites.onRead = (site) => {
    if (site !== sites.here || site.config()['standby_cluster'] === undefined) return;
    since += 1;
    site.isDcsFrozen = since > 1;
  };
  const done = await run(sites);
  expect([end(done), words(done)]).toEqual([
    ['unconfirmed', 'not_started', true],
    [
      'demo is a standby cluster of west in its configuration; its members could not be read in time (--deadline)',
      'run the command again, which follows them, or see: patctl list demo',
    ],
  ]);
});

test('the write into its DCS is refused, or its outcome is unknown', async () => {
  const refused = stopped();
  refused.here.dcs.failNext('refused', 'txn');
  const done = await run(refused);
  expect([done.ending, done.document.changed]).toEqual(['error', false]);
  expect(await configOf(refused)).not.toHaveProperty('standby_cluster');
  const dropped = stopped();
  dropped.here.dcs.failNext('dropped', 'txn');
  dropped.here.dcs.failNext('unreachable', 'range');
  expect((await run(dropped)).document.changed).not.toBe(true);
});

test('refused by Patroni, or its answer is lost', async () => {
  const refused = back();
  refused.here.onPatch = () => answer(403, 'no');
  const done = await run(refused);
  expect([end(done), words(done)[0]]).toEqual([
    ['error', 'demotion_refused', false],
    'demo was not told; nothing was changed',
  ]);
  const unknown = back();
  unknown.here.onPatch = () => lost;
  const other = await run(unknown);
  expect([end(other), unknown.sent]).toEqual([['unconfirmed', 'demotion_unknown', null], [TOLD]]);
  expect(words(other)[1]).toBe('look whether standby_cluster is there: patctl show-config demo');
});

test('a standby cluster of another server is not yet one of the new site', async () => {
  const sites = back();
  sites.here.writes({ host: '10.9.9.9', port: 5431 });
  sites.here.roles['pg1'] = 'standby';
  sites.here.onPatch = () => lost;
  const done = await run(sites);
  expect([end(done), sites.sent]).toEqual([['unconfirmed', 'demotion_unknown', null], [TOLD]]);
});

test('a member that does not come back: named, with the command that copies it again', async () => {
  const sites = back();
  const { onPatch } = sites.here;
  sites.here.onPatch = (member, standby) => {
    const said = onPatch(member, standby);
    sites.here.roles['pg2'] = 'silent';
    return said;
  };
  const done = await run(sites);
  expect([end(done), words(done)]).toEqual([
    ['failed', 'not_following', true],
    [
      'demo is a standby cluster of west in its configuration, but not every member follows: pg2 of demo',
      'see why: patctl check demo',
      'if pg2 was not rewound: patctl reinit demo pg2',
    ],
  ]);
  expect(steps(done)).toEqual(['demoting', 'follows']);
});

test('the new site is not a primary: refused', async () => {
  const sites = twoSites();
  const done = await run(sites);
  expect([end(done), sites.sent]).toEqual([['error', 'rejoin_refused', false], []]);
  expect(words(done)[0]).toMatch(/^not rejoined: west is a standby cluster, not a primary/);
});
