/** Whether a member whose WAL left that of the new primary can be rewound, or needs a new copy. */
import type { SqlStatus, Witnessed } from '../model/model.js';
import type { MemberView } from '../roles/view.js';
import type { PlanCheck } from './plan-model.js';
import { bad, dcs, ok } from './plan-facts.js';
import type { MemberReturn } from './rejoin-model.js';
import { memberOf, siteCommand, type Site } from './swap-model.js';

/** null: its own settings are unknown. */
export interface Rewind {
  can: boolean | null;
  because: string;
}

/**
 * pg_rewind needs data checksums or wal_log_hints, and Patroni runs it with use_pg_rewind only. Data checksums are a
 * property of the database, which both sites share, unless one copy was changed by pg_checksums.
 */
export function rewindOf(here: Site, there: Site, one: MemberView): Rewind {
  const { config } = here.view.snapshot.cluster;
  if (config?.usePgRewind !== true) return { can: false, because: 'use_pg_rewind is off' };
  const own = one.sql.ok ? one.sql.value : null;
  const main = there.view.leader?.sql.ok ? there.view.leader.sql.value : null;
  if (own !== null)
    return isOn(own, 'data_checksums') || isOn(own, 'wal_log_hints')
      ? { can: true, because: 'use_pg_rewind is on, and its pages tell changes' }
      : { can: false, because: 'neither data checksums nor wal_log_hints is on' };
  if (main !== null && isOn(main, 'data_checksums'))
    return { can: true, because: 'use_pg_rewind and data checksums are on' };
  return { can: null, because: 'its settings are unknown' };
}

function isOn({ settings }: SqlStatus, name: string): boolean {
  return settings[name]?.value === 'on';
}

/** Which members come back by pg_rewind, and which need a reinit. */
export function rewindCheck(here: Site, there: Site, members: readonly MemberReturn[]): PlanCheck {
  const name = 'rewind';
  const of = (needs: MemberReturn['needs']): string[] =>
    members.filter((one) => one.needs === needs).map(({ member }) => member);
  const [copied, mute] = [of('reinit'), of('unknown')];
  const rewound = of('pg_rewind');
  const how = howWords(here, there);
  const evidence: Witnessed[] = [dcs(`/config of ${here.label}`, how.config), ...how.seen];
  if (copied.length > 0)
    return bad(
      name,
      'warning',
      `${copied.join(', ')} of ${here.label} must be copied again: ${how.because}`,
      evidence,
      `once the leader of ${here.label} streams: ${copied.map((one) => siteCommand(here, 'reinit', one)).join('; ')}`,
    );
  if (rewound.length > 0)
    return bad(
      name,
      'warning',
      `Patroni rewinds ${rewound.join(', ')} of ${here.label} (pg_rewind) from ${there.label}`,
      evidence,
      `the login of pg_rewind must be let in by ${there.label} (pg_hba.conf)`,
    );
  if (mute.length === 0 && members.length > 0)
    return ok(name, `no member of ${here.label} needs pg_rewind or a reinit`, evidence);
  const who = mute.length === 0 ? `the members of ${here.label}` : mute.join(', ');
  return bad(
    name,
    'unknown',
    how.isPossible
      ? `it is unknown whether ${who} must be rewound; Patroni does it where it must`
      : `it is unknown whether ${who} must be copied again: ${how.because}`,
    evidence,
    how.isPossible
      ? `the login of pg_rewind must be let in by ${there.label} (pg_hba.conf)`
      : `if one does not stream afterwards: ${siteCommand(here, 'reinit', '--help')}`,
  );
}

function howWords(here: Site, there: Site) {
  const isWanted = here.view.snapshot.cluster.config?.usePgRewind === true;
  const config = `use_pg_rewind: ${isWanted}`;
  const leader = there.view.leader;
  const main = leader?.sql.ok ? leader.sql.value : null;
  const seen: Witnessed[] =
    leader === null || main === null
      ? []
      : [
          {
            witness: 'SQL',
            subject: memberOf(there, leader.name),
            said: `data_checksums: ${main.settings['data_checksums']?.value ?? 'unknown'}`,
          },
        ];
  const because = isWanted
    ? 'neither data checksums nor wal_log_hints is on'
    : 'use_pg_rewind is off in its dynamic configuration';
  return { config, seen, because, isPossible: isWanted };
}
