/** The swap itself, on two sites that a test lets fail at each step. */
import { expect, test } from 'vitest';
import { otherSite, wayOf } from '../../src/cli/other-site.js';
import { formatLsn } from '../../src/cluster/model/lsn.js';
import type { Context } from '../../src/context.js';
import type { CallOutcome } from '../../src/patroni/patroni.js';
import { answer, lost } from '../support/fake-members.js';
import { END, twoSites, type Swapped, type TwoSites } from '../support/two-sites.js';

const WEST = String.raw`patctl -c '/etc/o'\''b west.yml'`;
const BACK = 'patctl promote-cluster demo';
const ON = `${WEST} promote-cluster west`;
const DEMOTE = 'demo pg1 {"host":"10.0.1.1","port":5431}';
const BACK_SENT = 'demo pg1 null';
const PROMOTE = 'west pg1 null';
const HAS = `west has everything that demo wrote (${formatLsn(END)})`;
const LACKS = 'it is unknown whether west has everything that demo wrote';
const IS_BACK = 'pg1 of demo is the primary again';
const WENT_BACK = `${IS_BACK}, and west was not promoted`;
const UNKNOWN = `${IS_BACK}, and west was not told to become the primary; whether someone else promoted it is unknown`;

const steps = ({ document }: Swapped): string[] =>
  document.swap?.steps.map(({ step }) => step) ?? [];
const end = ({ ending, document }: Swapped) => [ending, document.code, document.changed];
const words = ({ document }: Swapped) => [document.message, ...(document.hint ?? '').split('\n')];

/** The first request to a site is answered so, and `then` happens. */
function first(
  sites: TwoSites,
  side: 'here' | 'there',
  then: () => void,
  said?: CallOutcome,
): void {
  const site = sites[side];
  const before = site.onPatch;
  let isFirst = true;
  site.onPatch = (member, standby) => {
    const mine = isFirst;
    isFirst = false;
    const outcome = mine && said !== undefined ? said : before(member, standby);
    if (mine) then();
    return outcome;
  };
}

test('goes through, each step once, with the way on printed before anything is sent', async () => {
  const sites = twoSites();
  const done = await sites.run();
  expect(end(done), done.document.message).toEqual(['ok', 'done', true]);
  expect(sites.sent).toEqual([DEMOTE, PROMOTE]);
  expect(steps(done)).toEqual([
    ...['demoting', 'demoted', 'received', 'promoting', 'promoted', 'follows', 'streaming'],
  ]);
  expect(done.document.swap).toMatchObject({
    ...{ demoted: true, promoted: true, wentBack: false, lastPosition: formatLsn(END) },
  });
  expect(sites.errBefore).toContain(
    `If this run is killed from here on: go back with: ${BACK}; or, once west has everything, finish with: ${ON}\n`,
  );
});

test('the commands that it prints have the options of this run, on stderr and in the notes', async () => {
  const done = await twoSites().run({ wayIn: ['-c', 'demo.yml'] });
  const before =
    'If this run is killed from here on: go back with: patctl -c demo.yml promote-cluster demo; ';
  expect(done.err).toContain(before);
  expect(done.document.notes.some((note) => note.startsWith(before))).toBe(true);
});

test('before the promotion is sent it says that going back is over', async () => {
  const sites = twoSites();
  const done = await sites.run();
  expect(done.err).toContain(
    `If this run is killed from here on: look first whether standby_cluster is still there: ${WEST} show-config west; ` +
      `if it is gone, west becomes the primary by itself; if it is there, finish with: ${ON}; do not promote demo before\n`,
  );
});

test('--dry-run sends nothing', async () => {
  const sites = twoSites();
  const done = await sites.run({ dryRun: true });
  expect([end(done), sites.sent]).toEqual([['ok', 'would_go', false], []]);
});

test.each<[what: string, site: 'here' | 'there', refused: string[]]>([
  ['the address to stream from leads to another database', 'there', ['way_back']],
  ['the address from which the other site streams leads there', 'here', ['streams']],
])('%s: nothing is sent', async (_, side, refused) => {
  const sites = twoSites();
  const asked: string[] = [];
  sites[side].clients = (host) => {
    asked.push(host);
    return { ok: true, tookMs: 1, value: { systemId: '8', startedAt: '1', addresses: [] } };
  };
  if (side === 'here') sites.there.streamsFrom = 'vip';
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([['error', 'swap_refused', false], []]);
  expect(done.document.swap?.plan?.refusedBy).toEqual(refused);
  expect(asked).toEqual([side === 'here' ? 'vip' : '10.0.1.1']);
});

test.each([
  ['vip', ['vip']],
  // Of the machine of the other site, not of this one.
  ...['127.0.0.1', '127.0.1.1', 'localhost', '::1', '/run/postgresql', '@sock'].map(
    (host): [string, string[]] => [host, []],
  ),
])(
  'the other site streams from %s: which server answers there is asked of %j',
  async (host, at) => {
    const sites = twoSites();
    const asked: string[] = [];
    sites.here.clients = (to) => {
      asked.push(to);
      return { ok: true, tookMs: 1, value: { systemId: '8', startedAt: '1', addresses: [] } };
    };
    sites.there.streamsFrom = host;
    const done = await sites.run({ dryRun: true });
    expect([asked, done.document.code]).toEqual([at, at.length > 0 ? 'swap_refused' : 'would_go']);
  },
);

test.each([
  [answer(401, 'no auth header received'), ['error', 'swap_refused', false]],
  [answer(403, 'client certificate required'), ['error', 'swap_refused', false]],
  ...[404, 405, 429, 501].map((status): [CallOutcome, [string, string, boolean]] => [
    answer(status),
    ['error', 'swap_refused', false],
  ]),
  [answer(411), ['ok', 'done', true]],
  [answer(409), ['ok', 'done', true]],
  // Only a refusal is certain.
  [answer(503), ['ok', 'done', true]],
  [lost, ['ok', 'done', true]],
])('Patroni of the other site says to an empty change: %j', async (said, ending) => {
  const sites = twoSites();
  sites.there.onProbe = said;
  const done = await sites.run();
  expect(end(done), done.document.message).toEqual(ending);
  expect(sites.sent).toEqual(ending[0] === 'ok' ? [DEMOTE, PROMOTE] : []);
});

test.each([
  [answer(401, 'not authenticated'), /^put the login of its REST API /],
  [answer(403, 'client certificate required'), /^put a client certificate /],
  [answer(403, 'Access is denied'), /^run this on a host that its restapi\.allowlist lets in/],
  [answer(404), /^check what answers at http:\/\/10\.0\.1\.1:7431/],
])('the next step, where Patroni of the other site says %j', async (said, next) => {
  const sites = twoSites();
  sites.there.onProbe = said;
  const { document } = await sites.run({ dryRun: true });
  const check = document.swap?.plan?.checks.find(({ name }) => name === 'rest_there');
  expect(check?.next).toMatch(next);
});

// ---------------------------------------------------------------- before the promotion it goes back

test.each<
  [what: string, breaks: (sites: TwoSites) => void, why: string, sent: string[], is?: string]
>([
  [
    'the other site is frozen after the demotion',
    (sites) => first(sites, 'here', () => (sites.there.isFrozen = true)),
    'west was not seen to have everything within the limit (--deadline)',
    [DEMOTE, BACK_SENT],
    UNKNOWN,
  ],
  [
    'the DCS of the other site and its leader are silent after the demotion, and a replica there answers',
    (sites) =>
      first(sites, 'here', () => {
        sites.there.isDcsFrozen = true;
        sites.there.roles['pg1'] = 'silent';
      }),
    'west was not seen to have everything within the limit (--deadline)',
    [DEMOTE, BACK_SENT],
    UNKNOWN,
  ],
  [
    'the configuration of the other site cannot be read after the demotion, and its members are silent',
    (sites) =>
      first(sites, 'here', () => {
        sites.there.garble();
        sites.there.roles = { pg1: 'silent', pg2: 'silent', pg3: 'silent' };
      }),
    'west was not seen to have everything within the limit (--deadline)',
    [DEMOTE, BACK_SENT],
    UNKNOWN,
  ],
  [
    'the DCS of the other site is silent after the demotion, and every member there answers as a standby',
    (sites) => first(sites, 'here', () => (sites.there.isDcsFrozen = true)),
    'west was not seen to have everything within the limit (--deadline)',
    [DEMOTE, BACK_SENT],
  ],
  [
    'another member leads the other site',
    (sites) => first(sites, 'here', () => sites.there.leads('pg2')),
    'pg2 of west leads now, not pg1',
    [DEMOTE, BACK_SENT],
  ],
  [
    'the other site does not get the last commits',
    (sites) => (sites.here.follower = null),
    'west was not seen to have everything within the limit (--deadline)',
    [DEMOTE, BACK_SENT],
  ],
  [
    'the promotion is refused',
    (sites) => first(sites, 'there', () => undefined, answer(403, 'no')),
    'west did not take the promotion',
    [DEMOTE, PROMOTE, BACK_SENT],
  ],
  [
    'the promotion cannot be written',
    (sites) => first(sites, 'there', () => undefined, answer(500, 'no')),
    'west did not take the promotion',
    [DEMOTE, PROMOTE, BACK_SENT],
  ],
  [
    'nothing tells whether the demotion was written',
    (sites) => first(sites, 'here', () => undefined, lost),
    'it is unknown whether it was told',
    [DEMOTE],
  ],
])('%s: goes back', async (_, breaks, why, sent, is = WENT_BACK) => {
  const sites = twoSites();
  breaks(sites);
  const done = await sites.run();
  expect([done.ending, done.document.code]).toEqual(['failed', 'went_back']);
  expect(words(done)).toEqual([
    `${why}; ${is}`,
    'check whether west follows again before you try again',
  ]);
  expect(sites.sent).toEqual(sent);
  expect(done.document.swap).toMatchObject({ promoted: false, wentBack: true });
  expect(steps(done).slice(-2)).toEqual(['going_back', 'went_back']);
});

test('another member became the primary here: the other site streams from a replica, and the way on is said', async () => {
  const sites = twoSites();
  first(sites, 'here', () => {
    sites.there.leads('pg2');
    sites.here.leads('pg3');
    sites.here.roles['pg3'] = 'primary';
  });
  const done = await sites.run();
  expect([done.document.code, sites.sent]).toEqual(['went_back', [DEMOTE, 'demo pg3 null']]);
  expect(words(done)).toEqual([
    'pg2 of west leads now, not pg1; pg3 of demo is the primary now, not pg1, and west was not promoted',
    'west may stream from pg1, which is a replica now; make it the primary again: patctl switchover demo --candidate pg1',
    'check whether west follows again before you try again',
  ]);
});

test('a replica that leads here by now is awaited: what it writes has not reached the other site', async () => {
  const sites = twoSites();
  // pg1 was switched over between the plan and the request: it streams, and pg2 takes writes.
  first(sites, 'here', () => {
    sites.here.leads('pg2');
    sites.here.roles['pg2'] = 'primary';
  });
  const done = await sites.run();
  expect(sites.sent).toEqual([DEMOTE, 'demo pg2 null']);
  expect([end(done), steps(done)]).toEqual([
    // Another member leads than before.
    ['failed', 'went_back', true],
    ['demoting', 'going_back', 'went_back'],
  ]);
});

test('a member that leads here and lacks the last commits is not made the primary', async () => {
  const sites = twoSites();
  first(sites, 'here', () => {
    sites.here.leads('pg2');
    sites.here.replayed['pg2'] = END - 1n;
    sites.there.isFrozen = true;
  });
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([['failed', 'no_primary', true], [DEMOTE]]);
  expect(words(done)).toEqual([
    `west was not seen to have everything within the limit (--deadline); going back failed; demo is a standby cluster, and ${LACKS}`,
    `go back with: ${BACK}`,
    `only where demo is lost (its last commits may be missing): ${ON}`,
  ]);
  expect(done.document.evidence.at(-1)).toEqual({
    ...{ witness: 'SQL', subject: 'pg2 of demo' },
    said: 'leads now, and was not seen to have everything of pg1',
  });
});

test.each<[what: string, promoted: (sites: TwoSites) => void]>([
  ['its configuration says so', ({ there }) => there.obey(null)],
  [
    'a member of it is a primary, and its DCS is silent',
    ({ there }) => {
      there.roles['pg2'] = 'primary';
      there.isDcsFrozen = true;
    },
  ],
])('the other site was promoted manually: this one stays; %s', async (_, promoted) => {
  const sites = twoSites();
  first(sites, 'here', () => promoted(sites));
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([['failed', 'other_primary', true], [DEMOTE]]);
  expect(words(done)[0]).toMatch(
    /; west has become a primary cluster, so demo was not told to become the primary again$/,
  );
  expect(words(done)[1]).toBe(
    `see both sites before anything else: patctl list demo; and: ${WEST} list west`,
  );
});

test('the other site is promoted manually while this one has no leader: this one stays', async () => {
  const sites = twoSites();
  let reads = 0;
  first(sites, 'here', () => {
    sites.there.leads('pg2');
    sites.here.leads('pg9');
    sites.onRead = ({ scope }) => {
      reads += scope === 'demo' ? 1 : 0;
      if (reads < 9) return;
      sites.onRead = () => undefined;
      sites.there.obey(null);
      sites.here.leads('pg1');
    };
  });
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([['failed', 'other_primary', true], [DEMOTE]]);
  expect(steps(done)).toEqual(['demoting', 'going_back']);
});

test('the other site was promoted while it was silent: both are primaries, and that is said', async () => {
  const sites = twoSites();
  let backAt: number | null = null;
  first(sites, 'here', () => {
    sites.there.isFrozen = true;
    const { onPatch } = sites.here;
    sites.here.onPatch = (member, standby) => {
      backAt = sites.sent.length;
      [sites.there.isFrozen, sites.there.follower] = [false, null];
      sites.there.obey(null);
      return onPatch(member, standby);
    };
  });
  const done = await sites.run();
  expect([end(done), backAt]).toEqual([['failed', 'other_primary', true], 2]);
  expect(words(done)).toEqual([
    'west was not seen to have everything within the limit (--deadline); west has become a primary cluster, and pg1 of demo is a primary too: there are two',
    `see both sites before anything else: patctl list demo; and: ${WEST} list west`,
  ]);
});

test('an error of patctl itself after the demotion goes back too', async () => {
  const sites = twoSites();
  first(sites, 'here', () => {
    sites.onRead = ({ scope }) => {
      if (scope !== 'west') return;
      sites.onRead = () => undefined;
      throw new TypeError('a bug');
    };
  });
  const done = await sites.run();
  expect([words(done)[0], sites.sent]).toEqual([
    `an unexpected error: a bug; ${WENT_BACK}`,
    [DEMOTE, BACK_SENT],
  ]);
});

// ---------------------------------------------------------------- going back does not work

test('the answer to going back is lost: neither site is to be promoted manually before it is known', async () => {
  const sites = twoSites();
  first(sites, 'here', () => {
    sites.there.leads('pg2');
    sites.here.onPatch = () => lost;
  });
  const done = await sites.run();
  expect(end(done)).toEqual(['unconfirmed', 'back_unknown', true]);
  expect(sites.sent).toEqual([DEMOTE, BACK_SENT]);
  expect(words(done)).toEqual([
    'pg2 of west leads now, not pg1; it is unknown whether demo was told to become the primary again',
    'look first whether standby_cluster is still there: patctl show-config demo',
    `if it is gone, demo becomes the primary by itself; if it is there, go back with: ${BACK}; do not promote west before`,
  ]);
});

test('told to become the primary again, and not seen as one: the other site is not to be promoted', async () => {
  const sites = twoSites();
  first(sites, 'here', () => {
    sites.there.leads('pg2');
    sites.here.onPatch = () => {
      sites.here.writes(null);
      return answer(200);
    };
  });
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([
    ['unconfirmed', 'not_back_in_time', true],
    [DEMOTE, BACK_SENT],
  ]);
  expect(words(done)).toEqual([
    'pg2 of west leads now, not pg1; demo is a primary cluster in its configuration, and no member of it was seen as a primary in time',
    'demo becomes the primary by itself as soon as a member can; see: patctl list demo',
    'do not promote west meanwhile; see why it takes so long: patctl check demo',
  ]);
});

test('this site is frozen after the promotion was refused: either site may be promoted', async () => {
  const sites = twoSites();
  first(sites, 'there', () => (sites.here.isFrozen = true), answer(403, 'no'));
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([
    ['failed', 'no_primary', true],
    [DEMOTE, PROMOTE],
  ]);
  expect(words(done)).toEqual([
    `west did not take the promotion; going back failed; demo is a standby cluster, and ${HAS}`,
    `go back with: ${BACK}`,
    `or finish with: ${ON}`,
  ]);
});

// ---------------------------------------------------------------- from the promotion on it does not

test('the answer to the promotion is lost: sent once, and this site is not promoted', async () => {
  const sites = twoSites();
  sites.there.onPatch = () => lost;
  const done = await sites.run();
  expect(end(done)).toEqual(['unconfirmed', 'promotion_unknown', null]);
  expect(sites.sent).toEqual([DEMOTE, PROMOTE]);
  expect(words(done)).toEqual([
    `it is unknown whether west was told to become a primary cluster; it has everything that demo wrote (${formatLsn(END)}), and demo is a standby cluster`,
    `look first whether standby_cluster is still there: ${WEST} show-config west`,
    `if it is gone, west becomes the primary by itself; if it is there, finish with: ${ON}; do not promote demo before`,
  ]);
});

test.each<[what: string, said: CallOutcome]>([
  ['its answer is lost', lost],
  ['it said that it failed', answer(500, 'no')],
  ['a proxy said that it failed', answer(502, 'no')],
])('the promotion was sent, and the other site is silent: not gone back; %s', async (_, said) => {
  const sites = twoSites();
  first(sites, 'there', () => (sites.there.isFrozen = true), said);
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([
    ['unconfirmed', 'promotion_unknown', null],
    [DEMOTE, PROMOTE],
  ]);
  expect(words(done)[2]).toBe(
    `if it is gone, west becomes the primary by itself; if it is there, finish with: ${ON}; do not promote demo before`,
  );
});

test('a lost answer that took effect is followed to the end', async () => {
  const sites = twoSites();
  sites.there.onPatch = (_, standby) => {
    sites.there.obey(standby);
    return lost;
  };
  expect(end(await sites.run())).toEqual(['ok', 'done', true]);
  expect(sites.sent).toEqual([DEMOTE, PROMOTE]);
});

test('promoted, and not seen as a primary: this site is not to be promoted', async () => {
  const sites = twoSites();
  sites.there.onPatch = () => {
    sites.there.writes(null);
    return answer(200);
  };
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([
    ['unconfirmed', 'not_promoted_in_time', true],
    [DEMOTE, PROMOTE],
  ]);
  expect(words(done).slice(1)).toEqual([
    `west becomes the primary by itself as soon as a member can; see: ${WEST} list west`,
    `do not promote demo meanwhile; see why it takes so long: ${WEST} check west`,
  ]);
});

test('another member leads there and is not a primary in time: it is the one that is named', async () => {
  const sites = twoSites();
  sites.there.onPatch = () => {
    sites.there.writes(null);
    sites.there.leads('pg2');
    return answer(200);
  };
  const { document } = await sites.run();
  expect([document.code, document.evidence.map(({ subject }) => subject)]).toEqual([
    ...['not_promoted_in_time', ['pg2 of west']],
  ]);
});

test.each<[what: string, breaks: (sites: TwoSites) => void, said: string]>([
  [
    'its DCS does not answer any more',
    ({ here }) => void (here.isDcsFrozen = true),
    'the DCS could not be read',
  ],
  [
    'it was made a primary cluster by another command',
    ({ here }) => here.obey(null),
    'a primary, on timeline 5',
  ],
])('promoted, and this site is not seen to follow: %s', async (_, breaks, said) => {
  const sites = twoSites();
  first(sites, 'there', () => breaks(sites));
  const done = await sites.run();
  expect(end(done), done.document.message).toEqual(['failed', 'not_following', true]);
  expect(steps(done).at(-1)).toBe('promoted');
  expect(done.document.evidence).toContainEqual(
    expect.objectContaining({ subject: 'pg1 of demo', said }),
  );
});

test('another member there becomes the primary: whether it has everything was not seen', async () => {
  const sites = twoSites();
  first(sites, 'there', () => {
    sites.there.leads('pg2');
    Object.assign(sites.there.roles, { pg1: 'silent', pg2: 'primary' });
  });
  const done = await sites.run();
  expect(end(done)).toEqual(['failed', 'other_member_promoted', true]);
  expect(words(done)).toEqual([
    'pg2 of west became the primary, not pg1: it is unknown whether it has the last commits of demo',
    `it has them if timeline 3 ended there at ${formatLsn(END)} or later: ${WEST} history west`,
    'see whether demo follows: patctl check demo',
  ]);
});

test('a configuration that cannot be read is not one without standby_cluster', async () => {
  const sites = twoSites();
  first(sites, 'there', () => sites.there.garble(), answer(500, 'no'));
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([
    ['unconfirmed', 'promotion_unknown', null],
    [DEMOTE, PROMOTE],
  ]);
  expect(done.document.evidence.at(-1)).toEqual({
    ...{ witness: 'DCS', subject: '/config', said: 'could not be read since' },
  });
});

test('the configuration of the other site cannot be read before the promotion: goes back', async () => {
  const sites = twoSites();
  first(sites, 'here', () => sites.there.garble());
  const done = await sites.run();
  expect([done.ending, done.document.code]).toEqual(['failed', 'went_back']);
  expect(sites.sent).toEqual([DEMOTE, BACK_SENT]);
});

// ---------------------------------------------------------------- nothing was sent, or nothing was done

test.each<[CallOutcome, ending: string, code: string]>([
  [answer(403, 'no'), 'error', 'demotion_refused'],
  [answer(500, 'no'), 'error', 'demotion_refused'],
  [{ kind: 'not_sent', reason: 'connect ECONNREFUSED' }, 'unreachable', 'not_sent'],
])('the demotion: %j', async (outcome, ending, code) => {
  const sites = twoSites();
  sites.here.onPatch = () => outcome;
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([[ending, code, false], [DEMOTE]]);
  expect(done.document.message).toBe('demo was not demoted; nothing was changed');
});

test('the dynamic configuration, with which Patroni answers, is not printed', async () => {
  const sites = twoSites();
  sites.there.onPatch = () => answer(200, '{"postgresql":{"parameters":{"x":"geheim"}}}');
  const done = await sites.run();
  expect(end(done)).toEqual(['unconfirmed', 'promotion_unknown', null]);
  expect(done.document.evidence).toEqual([
    { witness: 'REST', subject: 'pg1', said: 'status code=200' },
    { witness: 'DCS', subject: '/config', said: 'standby_cluster is unchanged' },
  ]);
  expect(JSON.stringify(done)).not.toContain('geheim');
});

// ---------------------------------------------------------------- Ctrl-C

test('Ctrl-C while the plan is computed a second time: nothing is sent', async () => {
  const sites = twoSites();
  let reads = 0;
  sites.onRead = ({ scope }) => {
    reads += scope === 'west' ? 1 : 0;
    if (reads === 2) sites.interrupt();
  };
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([['interrupted', 'not_sent', false], []]);
});

test('Ctrl-C after the demotion goes back', async () => {
  const sites = twoSites();
  first(sites, 'here', () => {
    sites.here.follower = null;
    sites.interrupt();
  });
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([
    ['interrupted', 'went_back', false],
    [DEMOTE, BACK_SENT],
  ]);
  expect(done.err).toContain('a second Ctrl-C stops at once');
});

test('Ctrl-C twice stops at once, and says how to go back', async () => {
  const sites = twoSites();
  sites.here.follower = null;
  first(sites, 'here', () => {
    sites.interrupt();
    sites.interrupt();
  });
  const done = await sites.run();
  expect([end(done), sites.sent]).toEqual([['interrupted', 'no_primary', true], [DEMOTE]]);
  expect(words(done)).toEqual([
    `interrupted: the writes in demo have ended; the swap was stopped before it went back; demo is a standby cluster, and ${LACKS}`,
    `go back with: ${BACK}`,
    `only where demo is lost (its last commits may be missing): ${ON}`,
  ]);
});

test('Ctrl-C once this site was told to go back: says that it becomes the primary by itself', async () => {
  const sites = twoSites();
  first(sites, 'here', () => {
    sites.there.leads('pg2');
    sites.here.onPatch = () => {
      sites.here.writes(null);
      sites.interrupt();
      sites.interrupt();
      return answer(200);
    };
  });
  const done = await sites.run();
  expect([done.ending, done.document.code]).toEqual(['interrupted', 'not_back_in_time']);
});

test('Ctrl-C after the promotion ends the waiting only', async () => {
  const sites = twoSites();
  first(sites, 'there', () => {
    sites.there.roles['pg1'] = 'silent';
    sites.interrupt();
  });
  const done = await sites.run();
  expect([done.ending, sites.sent]).toEqual(['interrupted', [DEMOTE, PROMOTE]]);
  expect(done.document.message).toBe(
    `interrupted: west was told to become a primary cluster; see: ${WEST} list west`,
  );
});

test('by --to-rest the logins of this site are used there; a file has its own', async () => {
  const postgres = { hasLogin: true };
  const context = {
    ...{
      flags: { program: 'patctl' },
      io: {},
      clock: {},
      env: {},
      signal: new AbortController().signal,
    },
    postgres: () => Promise.resolve(postgres),
  } as unknown as Context;
  const of = (way: Parameters<typeof otherSite>[1]) => otherSite(context, way).context;
  expect(await of({ rest: 'http://west1:8008' }).postgres()).toBe(postgres);
  // Its own file is read for them.
  await expect(of({ file: '/dev/null' }).postgres()).rejects.toThrow(
    '/dev/null: the file is empty',
  );
});

test.each([
  [false, ['-c', 'west.yml']],
  [true, ['-c', 'west.yml', '-k']],
])('the way to the other site in a command to be typed, -k given: %j', (insecure, way) => {
  const flags = { insecure } as Context['flags'];
  expect(wayOf({ flags }, { file: 'west.yml' })).toEqual(way);
});

test('a password in --to-rest is in no command that is printed', () => {
  const flags = { insecure: false } as Context['flags'];
  const rest = 'https://admin:secret@west1:8008,https://admin:s%40cret@west2:8008';
  expect(wayOf({ flags }, { rest })).toEqual([
    ...['--rest', 'https://admin@west1:8008,https://admin@west2:8008'],
  ]);
});
