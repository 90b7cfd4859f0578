/** How much of a member's copy has been sent, by the members that send it. */
import { readTags } from '../../cluster/model/tags.js';
import type { Cluster, Member } from '../../cluster/model/model.js';
import type { BaseBackup } from '../../postgres/postgres.js';
import type { Context } from '../../context.js';

export interface Copied {
  bytes: number;
  totalBytes: number | null;
}

/** The copy of this member as its source sees it; null: unknown. */
export async function copied(
  context: Context,
  cluster: Cluster,
  member: Member,
): Promise<Copied | null> {
  const postgres = await context.postgres();
  if (!postgres.hasLogin) return null;
  const sources = cluster.members.filter(
    ({ name, tags }) => name === cluster.leaderName || readTags(tags).clonefrom,
  );
  const readings = await Promise.all(
    sources.flatMap(({ host, port }) =>
      host === null || port === null
        ? []
        : [postgres.baseBackups({ host, port }, context.flags.timeoutMs)],
    ),
  );
  const all = readings.flatMap((reading) => (reading.ok ? reading.value : []));
  const its = all.filter(({ clientAddr }) => clientAddr === member.host);
  return sum(its.length > 0 ? its : all);
}

/** Copies of several members on one host cannot be told apart: they are shown as one. */
function sum(backups: readonly BaseBackup[]): Copied | null {
  if (backups.length === 0) return null;
  const totals = backups.map(({ totalBytes }) => totalBytes);
  return {
    bytes: backups.reduce((total, { streamedBytes }) => total + streamedBytes, 0),
    totalBytes: totals.includes(null)
      ? null
      : totals.reduce<number>((total, one) => total + (one ?? 0), 0),
  };
}

interface Sample extends Copied {
  atMs: number;
}

/** `pg2: 12.0 MiB of 40.0 MiB (30 %), 6.0 MiB/s, 5 s left`; the rate is of the last samples. */
export function copyWords(samples: readonly Sample[], size: (bytes: number) => string): string {
  const last = samples.at(-1);
  const first = samples[0];
  if (!last || !first) return '';
  const { bytes, totalBytes } = last;
  const known = totalBytes !== null && totalBytes >= bytes && totalBytes > 0;
  const share = known
    ? ` of ${size(totalBytes)} (${Math.floor((bytes / totalBytes) * 100)} %)`
    : '';
  const elapsedMs = last.atMs - first.atMs;
  const rate = elapsedMs > 0 ? ((bytes - first.bytes) / elapsedMs) * 1000 : 0;
  if (rate <= 0) return `${size(bytes)}${share}`;
  const left = known ? `, ${Math.ceil((totalBytes - bytes) / rate)} s left` : '';
  return `${size(bytes)}${share}, ${size(Math.round(rate))}/s${left}`;
}
