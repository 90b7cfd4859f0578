/** What `check` and recordings want to know beside the three witnesses; nothing of it decides a write. */
import type { Snapshot } from './cluster/model.js';
import type { Tool } from './tool.js';

/** With the certificates that the servers show; a recording has its own, or none. */
export async function withCertificates(tool: Tool, snapshot: Snapshot): Promise<Snapshot> {
  if (tool.flags.recording !== undefined || snapshot.verify === 'off') return snapshot;
  const { seenCertificates } = await import('./certificates.js');
  return { ...snapshot, certificates: await seenCertificates(tool, snapshot) };
}

/** The longest that any member's own copy of the configuration has said pause: a pause is at least as old. */
export async function withPauseAge(tool: Tool, snapshot: Snapshot): Promise<Snapshot> {
  const { cluster, takenAt } = snapshot;
  const answering = snapshot.members.filter(({ sql }) => sql.ok).map(({ name }) => name);
  const isPaused = cluster.config?.pause === true;
  if (!isPaused || tool.flags.recording !== undefined || answering.length === 0) return snapshot;
  const postgres = await tool.postgres();
  const ages = await Promise.all(
    cluster.members.map(async ({ name, host, port }) => {
      if (!answering.includes(name) || host === null || port === null) return null;
      const read = await postgres.pausedForMs({ host, port }, tool.flags.timeoutMs);
      return read.ok ? read.value : null;
    }),
  );
  const known = ages.filter((age) => age !== null);
  if (known.length === 0) return snapshot;
  const since = new Date(Date.parse(takenAt) - Math.max(...known)).toISOString();
  return { ...snapshot, pausedSince: since };
}
