/** Swap: how this site streams from the other one afterwards. */
import { permanentPhysicalSlots } from '../model/config-slots.js';
import type { Cluster, Witnessed } from '../model/model.js';
import { plural } from '../model/words.js';
import type { PlanCheck } from './plan-model.js';
import { bad, dcs, ok } from './plan-facts.js';
import {
  memberOf,
  siteCommand,
  type Site,
  type StandbySource,
  type SwapRequest,
} from './swap-model.js';

/** null: the other site has no leader with an address, and none was given. */
export function wayBack(
  there: Site,
  request: Pick<SwapRequest, 'host' | 'port' | 'primarySlotName'>,
): StandbySource | null {
  const leader = there.view.leader?.member ?? null;
  const host = request.host ?? leader?.host ?? null;
  const port = request.port ?? leader?.port ?? null;
  if (host === null || port === null) return null;
  const slot = request.primarySlotName ?? usedSlot(there);
  return { host, port, ...(slot !== null && { primary_slot_name: slot }) };
}

/** The slot that the other site uses on this one, where it has a permanent one of that name itself. */
function usedSlot(there: Site): string | null {
  const { cluster } = there.view.snapshot;
  const name = cluster.config?.standbyCluster?.['primary_slot_name'];
  return typeof name === 'string' && isPermanent(cluster, name) ? name : null;
}

/** A logical one of that name is of no use to a WAL receiver. */
function isPermanent({ config }: Cluster, slot: string): boolean {
  return permanentPhysicalSlots(config?.raw ?? {}).includes(slot);
}

/** The slots of both directions. */
export function slots(here: Site, there: Site, back: StandbySource | null): PlanCheck {
  const name = 'slots';
  const used = there.view.snapshot.cluster.config?.standbyCluster?.['primary_slot_name'];
  const wanted = back?.primary_slot_name;
  const evidence: Witnessed[] = [
    dcs(
      `/config of ${there.label}`,
      `primary_slot_name: ${typeof used === 'string' ? used : 'none'}`,
    ),
  ];
  if (wanted !== undefined) {
    const has = hasSlot(there, wanted);
    if (has === false)
      return bad(
        name,
        'refused',
        `${there.label} has no physical slot ${wanted} for the way back`,
        evidence,
        `let Patroni make it first: ${siteCommand(there, 'edit-config', '--set', `slots.${wanted}.type=physical`)}`,
      );
    if (has === null)
      return bad(
        name,
        'unknown',
        `it is unknown whether ${there.label} has the slot ${wanted}`,
        evidence,
        'ask with a login there',
      );
    return ok(name, `${here.label} will stream from slot ${wanted} of ${there.label}`, evidence);
  }
  if (typeof used !== 'string')
    return ok(name, 'neither direction uses a slot: wal_keep_size decides what is kept', evidence);
  return bad(
    name,
    'warning',
    `${there.label} streams from slot ${used}, and ${here.label} will stream without a slot`,
    evidence,
    `${there.label} may recycle WAL that ${here.label} needs; give it a slot of that name first: ${siteCommand(there, 'edit-config', '--set', `slots.${used}.type=physical`)}`,
  );
}

function hasSlot({ view }: Site, slot: string): boolean | null {
  const { leader, snapshot } = view;
  if (leader?.sql.ok)
    return leader.sql.value.slots.some(
      ({ slotName, slotType }) => slotName === slot && slotType === 'physical',
    );
  return isPermanent(snapshot.cluster, slot) ? true : null;
}

/** Logical slots stay on the old primary, where nothing can be decoded for clients that expect a primary. */
export function clientSlots(here: Site, there: Site): PlanCheck | null {
  const name = 'logical_slots';
  const { leader } = here.view;
  if (!leader?.sql.ok) return null;
  const logical = leader.sql.value.slots.filter(({ slotType }) => slotType === 'logical');
  if (logical.length === 0) return null;
  const other = there.view.leader?.sql;
  const has = new Set(other?.ok ? other.value.slots.map(({ slotName }) => slotName) : []);
  const missing = logical.filter(({ slotName }) => !has.has(slotName));
  const evidence = logical.map(({ slotName, active }): Witnessed => ({
    witness: 'SQL',
    subject: memberOf(here, leader.name),
    said: `logical slot ${slotName}${active ? ', in use' : ''}`,
  }));
  if (missing.length === 0)
    return ok(name, `${there.label} has each logical slot of ${here.label}`, evidence);
  return bad(
    name,
    'warning',
    `${plural(missing.length, 'logical slot')} of ${here.label} not in ${there.label}: ${missing.map(({ slotName }) => slotName).join(', ')}`,
    evidence,
    'their clients cannot go on there without a new copy: move or stop them first',
  );
}
