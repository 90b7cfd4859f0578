/** Can the others, and above all the old leader, follow the new one? */
import { commandLine } from '../model/command-line.js';
import { strangersIn } from '../model/member-names.js';
import type { SqlStatus, Witnessed } from '../model/model.js';
import type { PlanCheck } from './plan-model.js';
import { slotName } from '../model/slot-name.js';
import { readTags } from '../model/tags.js';
import { plural } from '../model/words.js';
import { bad, dcs, ok, sqlNotRead, type PlanFacts } from './plan-facts.js';

function candidateSql({ one }: PlanFacts): SqlStatus | null {
  return one?.sql.ok ? one.sql.value : null;
}

function isStandby({ candidate, one, cluster }: PlanFacts): boolean {
  return one !== null && candidate !== cluster.leaderName;
}

/** Without a slot the old leader follows only as long as the WAL it needs has not been recycled. */
export function slotsForOldLeader(ctx: PlanFacts): PlanCheck | null {
  const name = 'slots_for_old_leader';
  const { cluster, config, one, candidate } = ctx;
  const old = cluster.members.find((member) => member.name === cluster.leaderName);
  if (!isStandby(ctx) || !old) return null;
  if (config && !config.useSlots)
    return ok(name, 'use_slots is off', [dcs('/config', 'use_slots: false')]);
  if (readTags(old.tags).nostream)
    return ok(name, `${old.name} is tagged nostream and has no slot`);
  const sql = candidateSql(ctx);
  if (sql === null) return sqlNotRead(name, one, `whether a slot for ${old.name} exists`);
  const wanted = slotName(old.name);
  const slot = sql.slots.find((s) => s.slotName === wanted);
  const most = Number(sql.settings['max_replication_slots']?.value ?? NaN);
  const evidence: Witnessed[] = [
    {
      witness: 'SQL',
      subject: candidate ?? '',
      said: `${slot ? `slot ${wanted} exists` : `no slot ${wanted}`}; ${sql.slots.length} slots of ${Number.isNaN(most) ? 'an unknown number' : most}`,
    },
  ];
  if (slot && slot.restartLsn !== null)
    return ok(name, `${candidate ?? ''} has a slot for ${old.name}`, evidence);
  if (!slot && sql.slots.length >= most)
    return bad(
      name,
      'warning',
      `${candidate ?? ''} has no slot for ${old.name} and no free slot`,
      evidence,
      'raise max_replication_slots, or drop unused slots',
    );
  if (!slot)
    return ok(name, `Patroni creates the slot for ${old.name} after the promotion`, evidence);
  return bad(
    name,
    'warning',
    `the slot for ${old.name} on ${candidate ?? ''} reserves no WAL yet`,
    evidence,
    'it will once Patroni has advanced it; until then WAL may be recycled too early',
  );
}

export function candidateWalsenders(ctx: PlanFacts): PlanCheck | null {
  const name = 'candidate_walsenders';
  const { cluster, one, candidate } = ctx;
  if (!isStandby(ctx)) return null;
  const sql = candidateSql(ctx);
  if (sql === null) return sqlNotRead(name, one, 'how many walsenders are free');
  const most = Number(sql.settings['max_wal_senders']?.value ?? NaN);
  if (Number.isNaN(most)) return sqlNotRead(name, one, 'max_wal_senders');
  const others = cluster.members.filter((member) => member.name !== candidate).length;
  const strangers = strangersIn(sql.walsenders, cluster.members).length;
  const evidence: Witnessed[] = [
    {
      witness: 'SQL',
      subject: candidate ?? '',
      said: `max_wal_senders ${most}, ${plural(strangers, 'other client')}`,
    },
  ];
  const free = most - strangers;
  if (free >= others)
    return ok(
      name,
      `${candidate ?? ''} has free walsenders for the ${others} other members`,
      evidence,
    );
  return bad(
    name,
    'warning',
    `${candidate ?? ''} has ${plural(free, 'walsender')} for ${others} others`,
    evidence,
    'raise max_wal_senders (a restart), on the standbys first',
  );
}

/** After a clean shutdown no rewind is needed; after anything else it decides over a new base backup. */
export function oldLeaderRewind(ctx: PlanFacts): PlanCheck | null {
  const name = 'old_leader_rewind';
  const { config, leader, leaderSql, leaderState } = ctx;
  if (leaderState === 'none' || leader === null) return null;
  const next = `if it diverges, ${leader.name} needs a new base backup: ${commandLine(ctx.cluster, 'reinit', leader.name)}`;
  if (config && !config.usePgRewind)
    return bad(
      name,
      'warning',
      'use_pg_rewind is off',
      [dcs('/config', 'use_pg_rewind: false')],
      next,
    );
  if (leaderSql === null) return sqlNotRead(name, leader, `whether ${leader.name} can be rewound`);
  const hints = leaderSql.settings['wal_log_hints']?.value;
  const checksums = leaderSql.settings['data_checksums']?.value;
  const said = `wal_log_hints ${hints ?? 'unknown'}, data_checksums ${checksums ?? 'unknown'}`;
  const evidence: Witnessed[] = [{ witness: 'SQL', subject: leader.name, said }];
  if (hints === 'on' || checksums === 'on')
    return ok(name, `${leader.name} can be rewound`, evidence);
  return bad(
    name,
    'warning',
    `${leader.name} cannot be rewound: neither wal_log_hints nor checksums`,
    evidence,
    next,
  );
}
