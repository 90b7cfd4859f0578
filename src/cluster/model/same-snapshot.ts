/** Two snapshots of one cluster that are read shortly after each other: whether the later one says anything new. */
import type { MemberReadings, Reading, RestStatus, Snapshot } from './model.js';

/**
 * Whether `now` says what `before` says, apart from when it was read. Parts are compared as objects, as sharedParts
 * leaves them: two equal parts that are different objects count as something new.
 */
export function saysTheSame(before: Snapshot, now: Snapshot): boolean {
  return (
    isSameBut(before, now, ['takenAt', 'cluster', 'members', 'departed', 'renamed']) &&
    // The revision of etcd grows with every cluster that it holds.
    isSameBut(before.cluster, now.cluster, ['revision']) &&
    isSameBut(before.departed, now.departed) &&
    isSameBut(before.renamed ?? [], now.renamed ?? []) &&
    before.members.length === now.members.length &&
    before.members.every((one, at) => isSameMember(one, now.members[at]))
  );
}

function isSameMember(before: MemberReadings, now: MemberReadings | undefined): boolean {
  return (
    now !== undefined &&
    isSameBut(before, now, ['rest', 'sql']) &&
    isSameRest(before.rest, now.rest) &&
    before.sql === now.sql
  );
}

/** How long the answer took, and when Patroni last reached the DCS, decide no finding. */
function isSameRest(before: Reading<RestStatus>, now: Reading<RestStatus>): boolean {
  if (before === now) return true;
  if (!before.ok || !now.ok) return false;
  return (
    isSameBut(before.value, now.value, ['dcsLastSeen', 'raw']) &&
    isSameBut(before.value.raw, now.value.raw, ['dcs_last_seen'])
  );
}

/** Both have the same names, and the same object or value under each of them that is not left out. */
function isSameBut<T extends object>(
  before: T,
  now: T,
  leftOut: readonly (keyof T & string)[] = [],
): boolean {
  if (before === now) return true;
  const names = Object.keys(now) as (keyof T & string)[];
  return (
    names.length === Object.keys(before).length &&
    names.every(
      (name) =>
        leftOut.includes(name) || (Object.hasOwn(before, name) && before[name] === now[name]),
    )
  );
}
