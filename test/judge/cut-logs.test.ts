/** Logs of stories that were made on a live cluster, cut off at many places: a wrong cause is worse than none. */
import { expect, test } from 'vitest';
import type { StoryFact } from '../../src/cluster/story/story-model.js';
import {
  keptEtcd,
  keptLogs,
  keptPart,
  truthsOf,
  wrongIn,
  type Truth,
} from '../support/stories/kept.js';

const MEMBERS = ['pg1', 'pg2', 'pg3'];
const KEPT = ['patroni-4.1', 'disk-full', 'hard', 'patroni-3.0'].map((set) => {
  const past = keptEtcd(set);
  const logs = new Map(MEMBERS.map((name) => [name, keptLogs(set, name)]));
  const others = (from: string): StoryFact[] =>
    MEMBERS.filter((name) => name !== from).flatMap((name) => logs.get(name) ?? []);
  return { set, past, others, history: past.filter(({ source }) => source === 'history') };
});

const shifted = (time: string, seconds: number): string =>
  new Date(Date.parse(time) + seconds * 1000).toISOString();

test.each([-1, 0.5, 2, 5, 12, 20, 30])(
  "the old leader's log cut off %d s after it was made, at its beginning or end: never a cause that is not true",
  (seconds) => {
    const parts = ({ begun, over }: Truth): [string, string][] => [
      [shifted(begun, -60), shifted(begun, seconds)],
      [shifted(begun, seconds), shifted(over, 60)],
    ];
    const wrong = KEPT.flatMap(({ set, past, others, history }) =>
      truthsOf(set).flatMap((truth) =>
        parts(truth).flatMap(([from, to]) => {
          const old = keptPart(set, truth.from, from, to);
          return [past, history, others(truth.from), []].flatMap((beside) =>
            wrongIn([...beside, ...old], truth),
          );
        }),
      ),
    );
    expect(wrong).toEqual([]);
  },
);
