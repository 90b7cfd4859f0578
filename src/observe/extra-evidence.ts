/** What `check` and recordings want to know beside the three witnesses; nothing of it decides a write. */
import type { Snapshot } from '../cluster/model/model.js';
import { isRecorded } from './read-snapshot.js';
import type { Context } from '../context.js';

/** With the certificates that the servers show; a recording has its own, or none. */
export async function withCertificates(context: Context, snapshot: Snapshot): Promise<Snapshot> {
  if (snapshot.verify === 'off' || (await isRecorded(context))) return snapshot;
  const { seenCertificates } = await import('./certificates.js');
  return { ...snapshot, certificates: await seenCertificates(context, snapshot) };
}

/** The longest that any member's own copy of the configuration has said pause: a pause is at least as old. */
export async function withPauseAge(context: Context, snapshot: Snapshot): Promise<Snapshot> {
  const { cluster, takenAt } = snapshot;
  const answering = snapshot.members.filter(({ sql }) => sql.ok).map(({ name }) => name);
  const isPaused = cluster.config?.pause === true;
  if (!isPaused || answering.length === 0 || (await isRecorded(context))) return snapshot;
  const postgres = await context.postgres();
  const ages = await Promise.all(
    cluster.members.map(async ({ name, host, port }) => {
      if (!answering.includes(name) || host === null || port === null) return null;
      const read = await postgres.pausedForMs({ host, port }, context.flags.timeoutMs);
      return read.ok ? read.value : null;
    }),
  );
  const known = ages.filter((age) => age !== null);
  if (known.length === 0) return snapshot;
  const since = new Date(Date.parse(takenAt) - Math.max(...known)).toISOString();
  return { ...snapshot, pausedSince: since };
}
