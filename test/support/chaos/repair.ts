/** Makes a cluster whole again, whatever was done to it. */
import { eventually } from '../eventually.js';
import type { Lab } from '../lab/cluster.js';
import { labProcesses, signal } from '../lab/process.js';
import { rootOf, etcdHome } from '../lab/state.js';
import type { Site } from './shapes.js';

const FIRST_LIMIT_MS = 60_000;
const SECOND_LIMIT_MS = 75_000;

/**
 * The leader's name when it is healthy again; null when it cannot be brought to it, or not within `mostMs` (the run
 * is over by then, and the cluster is taken down anyway).
 */
export async function repair(
  site: Site,
  config: string,
  log: (line: object) => void,
  mostMs: number,
): Promise<string | null> {
  const endsAt = Date.now() + mostMs;
  const { lab } = site;
  const say = (step: string) => (error: unknown) => log({ repair: step, error: String(error) });
  for (const gate of [...site.etcdGates.values(), ...site.restGates.values()]) gate.set('open');
  thawAll(lab);
  for (const { name } of lab.etcd) await lab.start(name).catch(say(`start ${name}`));
  const isWell = async (limitMs: number): Promise<string | null> =>
    await eventually(`${lab.scope} is well`, limitMs, async () => {
      await restoreKeys(lab, config);
      for (const { name } of lab.members) await lab.launch(name);
      await resetSettings(lab);
      return await lab.waitHealthy(4_000);
    }).catch((error: unknown) => {
      say('wait')(error);
      return null;
    });
  const leftMs = (): number => endsAt - Date.now();
  const leader = await isWell(Math.min(FIRST_LIMIT_MS, leftMs()));
  if (leader !== null || leftMs() < SECOND_LIMIT_MS) return leader;
  await copyAnew(site).catch(say('reinit'));
  return await isWell(SECOND_LIMIT_MS);
}

function thawAll(lab: Lab): void {
  const roots = new Set([lab.root, rootOf(etcdHome(lab.state.options))]);
  for (const root of roots) {
    for (const { pid, frozen } of labProcesses(root)) if (frozen) signal(pid, 'SIGCONT');
  }
}

async function restoreKeys(lab: Lab, config: string): Promise<void> {
  if ((await lab.dcsGet('config')) !== config) await lab.dcsPut('config', config);
  const failover = await lab.dcsGet('failover');
  if (/leader|member/.test(failover ?? '')) await lab.dcsPut('failover', '{}');
}

/** What ALTER SYSTEM left behind. */
async function resetSettings(lab: Lab): Promise<void> {
  for (const { name } of lab.members) {
    const sql = `SELECT count(*) FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf'`;
    const left = await lab.psql(name, sql, { timeoutMs: 3_000 }).catch(() => '0');
    if (left === '0') continue;
    await lab.psql(name, 'ALTER SYSTEM RESET ALL', { timeoutMs: 3_000 });
    await lab.psql(name, 'SELECT pg_reload_conf()', { timeoutMs: 3_000 });
  }
}

/** A member that lost its way gets a new copy, as a person would do it. */
async function copyAnew({ lab, patctl }: Site): Promise<void> {
  const leader = await lab.leader();
  if (leader === null) return;
  const sql = "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'";
  const streams = (await lab.psql(leader, sql)).split('\n');
  const lost = lab.members
    .map(({ name }) => name)
    .filter((name) => name !== leader && !streams.includes(name));
  for (const name of lost) {
    await patctl(['reinit', lab.scope, name, '--force'], 30_000);
  }
}
