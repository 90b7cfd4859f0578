/** `swap --from-lost` itself, on a standby site whose primary site is silent, and which a test lets fail at each step. */
import { expect, test } from 'vitest';
import { beforeReturn } from '../../src/actions/swap/before-return.js';
import type { LiveSite } from '../../src/actions/swap/pair.js';
import { formatLsn } from '../../src/cluster/model/lsn.js';
import { siteCommand, type Site } from '../../src/cluster/preflight/swap-model.js';
import { answer, lost } from '../support/fake-members.js';
import { twoSites, type RunOptions, type Swapped, type TwoSites } from '../support/two-sites.js';
import { commandsIn, refusalOf } from '../support/typed-commands.js';
import { AT } from '../unit/plan-support.js';

const PROMOTE = 'west pg1 null';
const ACCEPTED = { acceptDataLoss: true, confirmName: 'west', force: false, isNamed: true };

/** `demo` is silent, and pg1 of `west` has lost its WAL receiver. */
function lostSites(): TwoSites {
  const sites = twoSites();
  sites.here.isFrozen = true;
  sites.there.isCut = true;
  return sites;
}

const run = (sites: TwoSites, options: Partial<RunOptions> = {}): Promise<Swapped> =>
  sites.run({ lost: ACCEPTED, ...options });
const steps = ({ document }: Swapped): string[] =>
  document.swap?.steps.map(({ step }) => step) ?? [];
const end = ({ ending, document }: Swapped) => [ending, document.code, document.changed];
const words = ({ document }: Swapped) => [document.message, ...(document.hint ?? '').split('\n')];

test('goes through: promoted once, proven, and what the old site must be', async () => {
  const sites = lostSites();
  const done = await run(sites);
  expect(end(done), done.document.message).toEqual(['ok', 'done', true]);
  expect(sites.sent).toEqual([PROMOTE]);
  expect(steps(done)).toEqual(['promoting', 'promoted', 'received', 'streaming']);
  const { swap } = done.document;
  expect(swap).toMatchObject({
    ...{ plan: null, demoted: false, promoted: true, lastPosition: formatLsn(AT) },
    lost: { other: 'demo', refusedBy: [], known: { received: formatLsn(AT) } },
  });
  expect(swap?.beforeReturn).toHaveLength(3);
  expect(swap?.beforeReturn[0]).toMatch(/^no client writes to demo: /);
});

test.each([
  [['-c', 'demo.yml'], 'patctl -c demo.yml swap --rejoin --to west.yml'],
  // Before its Patroni starts no REST API answers there.
  [['--rest', 'http://demo1:8008'], 'patctl -c OLD_SITE.yml swap --rejoin --to west.yml'],
  [null, 'patctl -c OLD_SITE.yml swap --rejoin --to west.yml'],
])('the command that leads the lost site back, by %j', (way, command) => {
  const here = {
    view: { snapshot: { cluster: { scope: 'west', group: null } } },
    context: { flags: { wayIn: ['-c', 'west.yml'] } },
  } as unknown as LiveSite;
  const other = { label: 'demo', way, view: null, silent: 'down', refuses: false, sources: [] };
  expect(beforeReturn(here, other)[1]).toMatch(new RegExp(`: ${command}$`));
});

test('without the other site named, and with --dry-run: nothing is sent', async () => {
  const sites = lostSites();
  const done = await run(sites, { lost: { ...ACCEPTED, isNamed: false }, dryRun: true });
  expect([end(done), sites.sent]).toEqual([['ok', 'would_go', false], []]);
  expect(done.document.swap?.lost?.other).toBe('the primary site');
});

test.each<[what: string, options: Partial<RunOptions>, ending: string[], message: string]>([
  [
    'the loss is not accepted',
    { lost: { ...ACCEPTED, acceptDataLoss: false } },
    ['error', 'lost_refused'],
    'not promoted: what demo committed after that is lost: ',
  ],
  [
    'another name is given',
    { lost: { ...ACCEPTED, confirmName: 'demo' } },
    ['error', 'declined'],
    'Cluster names specified do not match',
  ],
  [
    'no name is given, and no person can be asked',
    { lost: { ...ACCEPTED, confirmName: null } },
    ['usage', 'no_terminal'],
    'swap --from-lost must be confirmed, but stdin is not a terminal',
  ],
  [
    '--force does not stand for the name',
    { lost: { ...ACCEPTED, confirmName: null, force: true } },
    ['usage', 'no_confirm_name'],
    'swap --from-lost must be confirmed by the name of the cluster',
  ],
])('%s: nothing is sent', async (_, options, ending, message) => {
  const sites = lostSites();
  const done = await run(sites, options);
  expect([done.ending, done.document.code, done.document.changed]).toEqual([...ending, false]);
  expect(done.document.message.startsWith(message), done.document.message).toBe(true);
  expect(sites.sent).toEqual([]);
});

test.each<[typed: string[], ending: string, code: string, changed: boolean, sent: string[]]>([
  [['demo'], 'error', 'declined', false, []],
  [['West'], 'error', 'declined', false, []],
  [['yes'], 'error', 'declined', false, []],
  // An empty line is asked again.
  [['', 'west'], 'ok', 'done', true, [PROMOTE]],
])('a person types %j for the name of the cluster', async (typed, ending, code, changed, sent) => {
  const sites = lostSites();
  const done = await run(sites, { typed, lost: { ...ACCEPTED, confirmName: null } });
  expect([end(done), sites.sent], done.document.message).toEqual([[ending, code, changed], sent]);
  const asked = done.err.split('Please confirm the cluster name to promote: ').length - 1;
  expect([asked, done.document.hint]).toEqual([
    typed.length,
    ending === 'ok' ? null : 'nothing was sent',
  ]);
});

test('the other site answers as a primary between the plan and the request: nothing is sent', async () => {
  const sites = lostSites();
  let reads = 0;
  sites.onRead = ({ scope }) => {
    reads += scope === 'west' ? 1 : 0;
    sites.here.isFrozen = reads < 3;
  };
  const done = await run(sites);
  expect([end(done), sites.sent]).toEqual([['error', 'changed_meanwhile', false], []]);
  expect(words(done)[0]).toMatch(
    /^not promoted: other_site: pg1 of demo is a primary: .*; nothing was sent$/,
  );
});

test('a site that did not even tell its name answers as a primary by the second plan: nothing is sent', async () => {
  const sites = lostSites();
  let reads = 0;
  sites.onRead = ({ scope }) => {
    reads += scope === 'west' ? 1 : 0;
    sites.here.isFrozen = reads < 3;
  };
  const done = await run(sites, { lost: { ...ACCEPTED, isNamed: 'by REST' } });
  expect([end(done), sites.sent]).toEqual([['error', 'changed_meanwhile', false], []]);
  expect(words(done)[0]).toMatch(
    /^not promoted: other_site: pg1 of demo is a primary: .*; nothing was sent$/,
  );
  const silent = lostSites();
  const through = await run(silent, { lost: { ...ACCEPTED, isNamed: 'by REST' } });
  expect([end(through), silent.sent]).toEqual([['ok', 'done', true], [PROMOTE]]);
  expect(through.document.swap?.lost?.other).toBe('the primary site');
});

test('the promotion is refused, or its answer is lost', async () => {
  const refused = lostSites();
  refused.there.onPatch = () => answer(403, 'no');
  const done = await run(refused);
  expect([end(done), words(done)[0]]).toEqual([
    ['error', 'promotion_refused', false],
    'west was not promoted; nothing was changed',
  ]);
  const unknown = lostSites();
  unknown.there.onPatch = () => lost;
  const other = await run(unknown);
  expect([end(other), unknown.sent]).toEqual([
    ['unconfirmed', 'promotion_unknown', null],
    [PROMOTE],
  ]);
  expect(words(other)).toEqual([
    'it is unknown whether west was told to become a primary cluster',
    'look whether standby_cluster is still there: patctl show-config west',
    'if it is gone, west becomes the primary by itself; see: patctl list west',
  ]);
});

test('written, and no primary in time', async () => {
  const sites = lostSites();
  sites.there.onPatch = () => {
    sites.there.writes(null);
    return answer(200);
  };
  const done = await run(sites);
  expect(end(done)).toEqual(['unconfirmed', 'not_promoted_in_time', true]);
  expect(words(done)[1]).toBe(
    'it becomes the primary by itself as soon as a member can; see: patctl list west',
  );
  expect(done.document.swap?.beforeReturn).toHaveLength(3);
});

test('the old timeline ended before what was shown as received: said, with both positions', async () => {
  const sites = lostSites();
  sites.there.endsAt = AT - 64n;
  const done = await run(sites);
  expect(end(done)).toEqual(['failed', 'received_not_kept', true]);
  expect(words(done)[0]).toBe(
    `pg1 of west is the primary, but timeline 3 ends at ${formatLsn(AT - 64n)}, before ${formatLsn(AT)}, which pg1 of west had received`,
  );
  const silent = lostSites();
  silent.there.endsAt = null;
  const without = await run(silent);
  expect([end(without), without.document.swap?.lastPosition]).toEqual([['ok', 'done', true], null]);
  expect(without.err).toContain('it is unknown whether all that was received was kept');
});

test('a replica does not follow the new primary', async () => {
  const sites = lostSites();
  const { onPatch } = sites.there;
  sites.there.onPatch = (member, standby) => {
    const said = onPatch(member, standby);
    sites.there.roles['pg3'] = 'silent';
    return said;
  };
  const done = await run(sites);
  expect([end(done), words(done)]).toEqual([
    ['failed', 'not_following', true],
    [
      'west is the primary, but not every member follows: pg3 of west',
      'see why: patctl check west',
    ],
  ]);
});

test('every command that a swap prints is accepted for a Citus group too', async () => {
  const view = { snapshot: { cluster: { scope: 'demo', group: 1 } } } as Site['view'];
  const site = { way: ['-c', 'west.yml'], view };
  const printed = [
    ...['promote-cluster', 'show-config', 'list', 'check', 'history', 'resume', 'swap'].map(
      (verb) => siteCommand(site, verb),
    ),
    siteCommand(site, 'edit-config', '--set', 'synchronous_mode=on'),
    siteCommand(site, 'flush', 'switchover'),
    siteCommand(site, 'switchover', '--candidate', 'pg2'),
    siteCommand(site, 'reinit', 'pg1'),
    siteCommand(site, 'swap', '--from-lost'),
  ];
  for (const { line, words } of commandsIn(printed.join('\n')))
    expect([line, await refusalOf(words)]).toEqual([line, null]);
  expect(commandsIn(printed.join('\n'))).toHaveLength(printed.length);
});
