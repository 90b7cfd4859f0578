/** Two sites without a network: `demo` and its standby cluster `west`, whose Patroni does what a test lets it do. */
import { PassThrough } from 'node:stream';
import type { ActionDocument } from '../../src/actions/kit/action-document.js';
import { reportedAsking } from '../../src/actions/kit/action-document.js';
import { rejoinSite } from '../../src/actions/swap/rejoin.js';
import { swapFromLost } from '../../src/actions/swap/from-lost.js';
import { swapSites } from '../../src/actions/swap/swap-sites.js';
import { defaultFlags, makeContext } from '../../src/cli/make-context.js';
import type { Reading } from '../../src/cluster/model/model.js';
import type { Config } from '../../src/config/effective.js';
import type { AskAndTell } from '../../src/actions/kit/report.js';
import type { Context } from '../../src/context.js';
import { keyedDcs } from '../../src/dcs/keyed/keyed-dcs.js';
import { memoryStore, type MemoryStore } from '../../src/dcs/keyed/memory-store.js';
import { ToolError } from '../../src/errors.js';
import type { CallOutcome, Patroni } from '../../src/patroni/patroni.js';
import type { Clients, Postgres } from '../../src/postgres/postgres.js';
import { AT, healthy, walsender } from '../unit/plan-support.js';
import { answer } from './fake-members.js';
import { quickClock, UNREACHABLE } from './fake-world.js';
import { holdsCommands } from './typed-commands.js';

/** Where the WAL of the old primary ends. */
export const END = AT + 0x100n;
const MEMBERS = ['pg1', 'pg2', 'pg3'];

export type Role = 'primary' | 'standby' | 'silent';

export interface FakeSite {
  scope: string;
  dcs: MemoryStore;
  /** What its members are now. */
  roles: Record<string, Role>;
  timeline: number;
  /** How far each has replayed. */
  replayed: Record<string, bigint>;
  /** Nothing of it answers, neither its DCS nor a member. */
  isFrozen: boolean;
  /** Its DCS does not answer. */
  isDcsFrozen: boolean;
  /** Where its leader streams from; null: the address of the other site. */
  streamsFrom: string | null;
  /** Its leader receives nothing from the other site. */
  isCut: boolean;
  /** What the line of /history says of the timeline that a promotion ends; null: no line is written. */
  endsAt: bigint | null;
  /** What its Patroni does with the request, and answers; by default all that was asked for, at once. */
  onPatch: (member: string, standby: object | null) => CallOutcome;
  /** What its Patroni says to an empty change. */
  onProbe: CallOutcome;
  config(): Record<string, unknown>;
  /** Only writes standby_cluster: its members stay what they are. */
  writes(standby: object | null): void;
  leads(member: string): void;
  /** As Patroni does after a change of standby_cluster. */
  obey(standby: object | null): void;
  /** The site that streams from it; null: none gets what it writes. */
  follower: FakeSite | null;
  /** What PostgreSQL at an address says with the login of this site. */
  clients: (host: string) => Reading<Clients>;
  /** Its dynamic configuration cannot be read any more. */
  garble(): void;
}

export interface TwoSites {
  here: FakeSite;
  there: FakeSite;
  /** `demo pg1 {…}`: member and new standby_cluster of each request, in order. */
  sent: string[];
  /** stderr up to the first request. */
  errBefore: string;
  /** Ctrl-C. */
  interrupt(): void;
  /** Called before each reading of the DCS of a site. */
  onRead: (site: FakeSite) => void;
  run(options?: RunOptions): Promise<Swapped>;
}

export interface RunOptions {
  dryRun?: boolean;
  deadlineMs?: number;
  skipChecks?: string[];
  /** By a person at a terminal, a line each. */
  typed?: string[];
  /** The options of this run that lead to the DCS. */
  wayIn?: string[];
  /** --rejoin of `demo`, whether the loss is accepted. */
  rejoin?: { acceptDataLoss: boolean };
  /** --from-lost at `west`, and its options; `isNamed`: with `demo` as --to, or as --to-rest, which tells its name. */
  lost?: {
    acceptDataLoss: boolean;
    confirmName: string | null;
    force: boolean;
    isNamed: boolean | 'by REST';
  };
}

export interface Swapped {
  ending: string;
  document: ActionDocument;
  err: string;
}

function fakeSite(scope: string, host: string, role: Role): FakeSite {
  const prefix = `/service/${scope}/`;
  const member = (name: string, at: number): string =>
    JSON.stringify({
      conn_url: `postgres://${host}:${5431 + at}/postgres`,
      api_url: `http://${host}:${7431 + at}/patroni`,
      ...{ state: 'running', version: '4.1.4', timeline: 3, tags: {} },
      role: name === 'pg1' ? (role === 'primary' ? 'primary' : 'standby_leader') : 'replica',
    });
  const standby = role === 'standby' ? { standby_cluster: { host: '10.0.0.1', port: 5431 } } : {};
  const config = { ttl: 30, loop_wait: 10, postgresql: { use_slots: true }, ...standby };
  const values = {
    ...{ config: JSON.stringify(config), leader: 'pg1', initialize: '7' },
    ...Object.fromEntries(MEMBERS.map((name, at) => [`members/${name}`, member(name, at)])),
    status: `{"optime":${AT}}`,
    history: '[[1,1,"x","2026-01-01T00:00:00Z","pg2"],[2,2,"x","2026-01-02T00:00:00Z","pg1"]]',
  };
  const dcs = memoryStore(
    Object.fromEntries(Object.entries(values).map(([key, value]) => [prefix + key, value])),
  );
  let written: Record<string, unknown> = config;
  const site: FakeSite = {
    ...{ scope, dcs, timeline: 3, isFrozen: false, isDcsFrozen: false, follower: null },
    ...{ isCut: false, streamsFrom: null, endsAt: AT },
    roles: { pg1: role, pg2: 'standby', pg3: 'standby' },
    replayed: { pg1: AT, pg2: AT, pg3: AT },
    config: () => written,
    writes: (changed) => {
      written = { ...written, standby_cluster: changed ?? undefined };
      dcs.put(`${prefix}config`, JSON.stringify(written));
    },
    clients: () => UNREACHABLE,
    onProbe: answer(400),
    garble: () => dcs.put(`${prefix}config`, '{'),
    leads: (name) => dcs.put(`${prefix}leader`, name),
    obey: (changed) => {
      site.writes(changed);
      if (changed === null && site.roles['pg1'] === 'standby') {
        if (site.endsAt !== null)
          dcs.put(`${prefix}history`, historyTo(site.timeline, site.endsAt));
        site.timeline += 1;
      }
      site.roles['pg1'] = changed === null ? 'primary' : 'standby';
      for (const one of [site, ...(site.follower ? [site.follower] : [])]) {
        one.timeline = site.timeline;
        for (const name of MEMBERS) one.replayed[name] = END;
      }
    },
    onPatch: (_, changed) => {
      site.obey(changed);
      return answer(200, JSON.stringify(written));
    },
  };
  return site;
}

/** As Patroni writes it: every timeline up to this one, which ends at `lsn`; earlier lines keep their times. */
function historyTo(timeline: number, lsn: bigint): string {
  const lines = Array.from({ length: timeline }, (_, at) => {
    const end = at + 1 === timeline ? Number(lsn) : at + 1;
    return [at + 1, end, 'no recovery target specified', `2026-01-0${at + 1}T00:00:00Z`, 'pg1'];
  });
  return JSON.stringify(lines);
}

/** Host and role decide what a member says; the numbers are those of a healthy cluster. */
function witnesses(site: FakeSite, host: string, other: { host: string }, isOrigin: boolean) {
  const nameOf = (port: number): string => MEMBERS[(port % 10) - 1] ?? '?';
  const reading = <T>(name: string, value: () => T): Reading<T> => {
    if (site.isFrozen || site.roles[name] === 'silent') return UNREACHABLE;
    return { ok: true, value: value(), tookMs: 1 };
  };
  const isPrimary = (name: string): boolean => site.roles[name] === 'primary';
  const isCut = (name: string): boolean => site.isCut && name === 'pg1';
  const model = healthy('off');
  const sql = (name: string) => {
    const value = model.sql(name);
    const at = site.replayed[name] ?? AT;
    const positions = isPrimary(name)
      ? { inRecovery: false, currentLsn: at, receiveLsn: null, replayLsn: null, walReceiver: null }
      : {
          ...{ inRecovery: true, currentLsn: null, receiveLsn: at, replayLsn: at },
          walReceiver: isCut(name)
            ? null
            : {
                ...{
                  pid: 9,
                  status: 'streaming',
                  slotName: null,
                  flushedLsn: at,
                  lastMessageAgeMs: 10,
                },
                senderHost: name === 'pg1' ? (site.streamsFrom ?? other.host) : host,
                ...{ senderPort: 5431, receivedTimeline: site.timeline },
              },
        };
    const own = isOrigin && name === 'pg1' ? [walsender('pg1', { pid: 500, slotName: null })] : [];
    const { timeline } = site;
    return { ...value, ...positions, timeline, walsenders: [...value.walsenders, ...own] };
  };
  const rest = (name: string) => {
    const value = model.rest(name);
    const at = site.replayed[name] ?? AT;
    const { scope, timeline } = site;
    const raw = { ...value.raw, patroni: { version: '4.1.4', scope, name } };
    const { standby_cluster: standby } = site.config();
    const role = name === 'pg1' && standby ? 'standby_leader' : 'replica';
    return isPrimary(name)
      ? { ...value, raw, timeline, scope, role: 'primary', location: at, replicationState: null }
      : {
          ...{ ...value, raw, timeline, scope, role, location: null },
          ...{
            replicationState: isCut(name) ? null : 'streaming',
            receivedLocation: at,
            replayedLocation: at,
          },
        };
  };
  const patroni = (sent: (member: string, standby: object | null) => CallOutcome): Patroni => ({
    status: ({ name }) => Promise.resolve(reading(name, () => rest(name))),
    call: (_method, apiUrl, path, body) => {
      if (path !== '/config') throw new Error(`what is ${path}?`);
      if (body === null) throw new Error('Patroni logs a change without a body as an error');
      if (Object.keys(body).length === 0) return Promise.resolve(site.onProbe);
      const { standby_cluster: standby } = body as { standby_cluster: object | null };
      return Promise.resolve(sent(nameOf(Number(new URL(apiUrl).port)), standby));
    },
  });
  const postgres = {
    hasLogin: true,
    status: ({ port }: { port: number }) =>
      Promise.resolve(reading(nameOf(port), () => sql(nameOf(port)))),
    takesWrites: ({ port }: { port: number }) =>
      Promise.resolve(reading(nameOf(port), () => isPrimary(nameOf(port)))),
    accessRules: () => Promise.resolve(UNREACHABLE),
    clients: ({ host: at }: { host: string }) => Promise.resolve(site.clients(at)),
    reaches: () => Promise.resolve(UNREACHABLE),
  } as unknown as Postgres;
  return { patroni, postgres };
}

/** Swaps from `demo` to `west`, whose configuration file has a name that a shell has to be told. */
export function twoSites(): TwoSites {
  const here = fakeSite('demo', '10.0.0.1', 'primary');
  const there = fakeSite('west', '10.0.1.1', 'standby');
  [here.follower, there.follower] = [there, here];
  const [signal, err] = [new AbortController(), { text: '' }];
  let held: (name: NodeJS.Signals) => void = () => undefined;
  const clock = quickClock();
  const io = {
    ...{ err: (text: string) => void (err.text += text), stdin: process.stdin },
    ...{ stderr: process.stderr, stdinIsTty: false, stdoutIsTty: false, stderrIsTty: false },
    ...{ outColor: false, errColor: false, columns: 80 },
  };
  const sites: TwoSites = {
    ...{ here, there, sent: [], errBefore: '', onRead: () => undefined },
    interrupt: () => {
      signal.abort();
      held('SIGINT');
    },
    run: async ({
      dryRun = false,
      deadlineMs = 10_000,
      skipChecks = [],
      lost,
      rejoin,
      typed,
      wayIn = [],
    } = {}) => {
      let out = '';
      const stdin = new PassThrough();
      for (const line of typed ?? []) stdin.write(`${line}\n`);
      const person = typed === undefined ? {} : { stdin, stdinIsTty: true, stderrIsTty: true };
      const contextOf = (site: FakeSite, host: string, other: string): Context => {
        const world = {
          ...{ env: {}, platform: 'linux' as const, nodeVersion: '', arch: '' },
          ...{
            io: { ...io, ...person, out: (text: string) => void (out += text) },
            programName: 'patctl',
          },
          signal: signal.signal,
          holdSignals: (listener: typeof held) => {
            held = listener;
            return () => (held = () => undefined);
          },
        };
        const made = witnesses(site, host, { host: other }, site === here);
        const patroni = made.patroni((member, standby) => {
          if (sites.sent.length === 0) sites.errBefore = err.text;
          sites.sent.push(`${site.scope} ${member} ${JSON.stringify(standby)}`);
          return site.onPatch(member, standby);
        });
        const store = {
          ...site.dcs,
          range: (prefix: string) => {
            sites.onRead(site);
            if (site.isFrozen || site.isDcsFrozen)
              return Promise.reject(new ToolError('unreachable', 'frozen'));
            return site.dcs.range(prefix);
          },
        };
        const { context } = makeContext(
          world,
          { ...defaultFlags(world), asJson: true, command: 'swap', wayIn },
          {
            ...{ clock, dcs: () => Promise.resolve(keyedDcs(store, '/service')) },
            config: () => Promise.resolve({} as Config),
            patroni: () => Promise.resolve(patroni),
            postgres: () => Promise.resolve(made.postgres),
          },
        );
        return context;
      };
      const far = contextOf(there, '10.0.1.1', '10.0.0.1');
      const near = contextOf(here, '10.0.0.1', '10.0.1.1');
      const cluster = lost === undefined ? 'demo' : 'west';
      const head = { command: 'swap', cluster, dryRun } as const;
      const siteHere = (context: Context) => ({ context, scope: 'demo', group: null, way: [] });
      const siteThere = { scope: 'west', group: null, way: ['-c', "/etc/o'b west.yml"] };
      const how = { dryRun, deadlineMs, routes: [] };
      const swap = (context: Context, asking: AskAndTell) =>
        swapSites(asking, {
          pair: { here: siteHere(context), there: { context: far, ...siteThere } },
          request: {
            ...{ host: null, port: null, primarySlotName: null, skipChecks },
            maxLagBytes: 16 * 1024 ** 2,
          },
          ...{ ...how, force: true },
        });
      const unheard = (isByFile: boolean) => ({
        ...{ context: near, group: null },
        way: isByFile ? ['-c', 'demo.yml'] : ['--rest', 'http://demo1:8008'],
        name: () =>
          Promise.resolve(
            here.isFrozen && !isByFile
              ? new ToolError('unreachable', 'no member answered')
              : here.scope,
          ),
      });
      const promote = (context: Context, asking: AskAndTell, given: NonNullable<typeof lost>) =>
        swapFromLost(asking, {
          here: { context, scope: 'west', group: null, way: [] },
          other: given.isNamed === false ? null : unheard(given.isNamed === true),
          request: { acceptDataLoss: given.acceptDataLoss, skipChecks },
          ...{ ...how, force: given.force, confirmName: given.confirmName },
        });
      const comeBack = (context: Context, asking: AskAndTell, acceptDataLoss: boolean) =>
        rejoinSite(asking, {
          pair: { here: siteHere(context), there: { context: far, ...siteThere } },
          request: { host: null, port: null, primarySlotName: null, acceptDataLoss, skipChecks },
          ...{ dryRun, deadlineMs, force: true },
        });
      let ending = 'ok';
      try {
        await reportedAsking(lost ? far : near, head, (context, asking) => {
          if (rejoin) return comeBack(context, asking, rejoin.acceptDataLoss);
          return lost ? promote(context, asking, lost) : swap(context, asking);
        });
      } catch (error) {
        if (!(error instanceof ToolError)) throw error;
        ({ ending } = error);
      }
      const document = JSON.parse(out) as ActionDocument;
      const printed = [err.text, document.message, document.hint ?? ''];
      await holdsCommands(['swap'], printed.join('\n'));
      return { ending, document, err: err.text };
    },
  };
  return sites;
}
