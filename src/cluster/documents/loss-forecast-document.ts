/** `patctl quorum --lose`: what the loss of some members at once would do. */
import type { Cluster, Snapshot, SyncMode } from '../model/model.js';
import { plural } from '../model/words.js';
import { forecastFacts, kindOf, outcomeOf, withSteps } from '../votes/loss-forecast.js';
import type { Forecast, ForecastFacts, Outlook } from '../votes/loss-model.js';

/** What the operator asked for. */
export interface LossRequest {
  /** Names of members, or `tag:KEY=VALUE` for all that have this tag. */
  lose: readonly string[];
  /** So many more, chosen so that it is worst; null: only those named. */
  any: number | null;
}

export interface LossForecastDocument extends Forecast {
  schemaVersion: 1;
  takenAt: string;
  cluster: string;
  group: number | null;
  /** Before the loss; null: no member holds the lock. */
  leader: string | null;
  mode: SyncMode;
  /** With --lose-any: of so many choices this is the worst; null: the members were named. */
  choices: number | null;
}

/** So many choices are tried; more would take long, and say little. */
const MOST_CHOICES = 20_000;

export type LossAnswer =
  | { ok: true; document: LossForecastDocument }
  | { ok: false; code: 'unknown_member' | 'too_many_choices'; words: string; hint: string };

/** Reads nothing but its arguments. */
export function lossForecast(snapshot: Snapshot, { lose, any }: LossRequest): LossAnswer {
  const { cluster } = snapshot;
  const names = cluster.members.map(({ name }) => name);
  const named = new Set<string>();
  for (const one of lose) {
    const meant = membersMeant(cluster, one);
    if (meant.length === 0)
      return {
        ok: false,
        code: 'unknown_member',
        words: one.startsWith('tag:')
          ? `no member of ${cluster.scope} has the tag ${one.slice(4)}`
          : `${one} is not a member of ${cluster.scope}`,
        hint: `members: ${names.join(', ') || 'none'}`,
      };
    for (const name of meant) named.add(name);
  }
  const others = names.filter((name) => !named.has(name));
  const count = Math.min(any ?? 0, others.length);
  if (choicesOf(others.length, count) > MOST_CHOICES)
    return {
      ok: false,
      code: 'too_many_choices',
      words: `${count} of ${plural(others.length, 'member')} can be chosen in more than ${MOST_CHOICES} ways`,
      hint: 'name some of them with --lose, or give a smaller --lose-any',
    };
  const facts = forecastFacts(snapshot);
  const { worst, choices } = worstOf(facts, [...named], others, count);
  const document: LossForecastDocument = {
    schemaVersion: 1,
    takenAt: snapshot.takenAt,
    cluster: cluster.scope,
    group: cluster.group,
    leader: cluster.leaderName,
    mode: facts.input.mode,
    choices: any === null ? null : choices,
    ...worst,
  };
  return { ok: true, document };
}

/** The member of this name, or all whose tag KEY has this VALUE, as text. */
function membersMeant({ members }: Cluster, text: string): string[] {
  if (!text.startsWith('tag:'))
    return members.filter(({ name }) => name === text).map(({ name }) => name);
  const [key = '', ...value] = text.slice(4).split('=');
  const wanted = value.join('=');
  return members
    .filter(({ tags }) => {
      const tag = tags[key];
      return tag !== undefined && (typeof tag === 'string' ? tag : JSON.stringify(tag)) === wanted;
    })
    .map(({ name }) => name);
}

function choicesOf(of: number, count: number): number {
  let choices = 1;
  for (let i = 1; i <= count; i++) choices = (choices * (of - count + i)) / i;
  return choices;
}

function worstOf(
  facts: ForecastFacts,
  named: readonly string[],
  others: readonly string[],
  count: number,
): { worst: Forecast; choices: number } {
  let worst = outcomeOf(facts, [...named, ...others.slice(0, count)]);
  let choices = 0;
  const kinds = new Map(others.map((name) => [name, kindOf(facts, name)]));
  const seen = new Set<string>();
  for (const chosen of chosenOf(others, count)) {
    choices++;
    const kind = JSON.stringify(chosen.map((name) => kinds.get(name)).sort());
    if (seen.has(kind)) continue;
    seen.add(kind);
    const found = outcomeOf(facts, [...named, ...chosen]);
    if (badness(found) > badness(worst)) worst = found;
  }
  return { worst: withSteps(facts, worst), choices };
}

function* chosenOf(names: readonly string[], count: number, from = 0): Generator<string[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let at = from; at <= names.length - count; at++)
    for (const more of chosenOf(names, count - 1, at + 1)) yield [names[at] ?? '', ...more];
}

const LEADERSHIP = { stays: 0, moves: 1, unknown: 2, none: 3 };
const WRITES = { continue: 0, none: 0, pause: 1, unknown: 2, wait: 3, stop: 4 };
const LOSS = { none: 0, unknown: 1, possible: 2 };

/** No leader is worse than lost commits, and these are worse than writes that wait. */
function badness({ leadership, writes, dataLoss }: Outlook): number {
  return LEADERSHIP[leadership] * 100 + LOSS[dataLoss.verdict] * 10 + WRITES[writes];
}
