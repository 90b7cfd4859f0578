/** What to do so that a leader is not lost for the same reason again. */
import type { CauseCode } from './story-model.js';

const TWO_PRIMARIES =
  'only a watchdog (watchdog.mode: required) keeps a PostgreSQL without its Patroni from going on as a second primary';

const ADVICE: Readonly<Partial<Record<CauseCode, (name: string) => string[]>>> = {
  patroni_killed: (name) => [
    `look on ${name} for what ended Patroni: journalctl -u patroni, and dmesg for the OOM killer`,
    TWO_PRIMARIES,
  ],
  node_lost: (name) => [
    `look in the system log of ${name} for a reboot, a loss of power, or the OOM killer`,
  ],
  patroni_frozen: (name) => [
    `look on ${name} for what stopped it: a paused or migrated virtual machine, swapping, a slow disk`,
    TWO_PRIMARIES,
  ],
  leader_cut_off: (name) => [
    `check the network between ${name} and the DCS, and list every etcd server in its Patroni file`,
    'failsafe_mode: true lets a leader go on while it reaches every other member',
  ],
  dcs_unreachable: () => [
    'check the disks and the load of the etcd servers: etcd needs quick fsyncs',
    'failsafe_mode: true lets the leader go on while the DCS does not answer',
  ],
  lock_not_renewed: () => ['ttl must be at least loop_wait + 2 x retry_timeout; give it more room'],
  postgres_crashed: (name) => [
    `read PostgreSQL's log of ${name} around that time: a signal 9 is mostly the OOM killer`,
  ],
  postgres_hung: (name) => [
    `look in the system log of ${name} for a disk that did not answer (I/O errors, a full or slow volume)`,
    TWO_PRIMARIES,
  ],
  shutdown_too_slow: (name) => [
    `run CHECKPOINT on ${name} before Patroni there is stopped, or move the leader first: patctl switchover`,
    'with synchronous_mode, primary_stop_timeout ends a shutdown that takes longer',
  ],
  disk_full: (name) => [
    `watch the free space of ${name}: pg_wal grows when archiving fails or a slot holds WAL (patctl check)`,
  ],
  out_of_memory: (name) => [`check work_mem, max_connections and the memory of ${name}`],
  postgres_start_timeout: () => ['primary_start_timeout must be longer than crash recovery takes'],
  watchdog_fired: (name) => [
    `look in the log of Patroni on ${name} for why it did not write to the watchdog in time`,
  ],
  watchdog: (name) => [`check the watchdog device of ${name}, and that Patroni may open it`],
};

export function adviceFor(cause: CauseCode, name: string): string[] {
  return ADVICE[cause]?.(name) ?? [];
}
