/** One member asked over REST and SQL at once; a witness that does not answer is a Reading with the reason. */
import type {
  Cluster,
  MemberReadings,
  Reading,
  RestStatus,
  SqlStatus,
  VerifyMode,
} from '../cluster/model/model.js';
import type { Context } from '../context.js';
import type { KeptSession } from '../postgres/postgres.js';

export const OFF: Reading<never> = { ok: false, kind: 'off', reason: 'not asked' };

export interface HostPort {
  host: string;
  port: number;
}

export interface MemberAddress {
  name: string;
  scope: string;
  apiUrl: string | null;
  host: string | null;
  port: number | null;
}

/** Where the members of a cluster are asked. */
export function whereToAsk({ scope, members }: Cluster): MemberAddress[] {
  return members.map(({ name, apiUrl, host, port }) => ({ name, scope, apiUrl, host, port }));
}

/** Both witnesses of one node at once; neither throws. */
export async function readWitnesses(
  context: Context,
  address: MemberAddress,
  verify: VerifyMode,
): Promise<MemberReadings> {
  const [rest, sql] = await Promise.all([
    askRest(context, address, verify),
    askSql(context, address, verify),
  ]);
  return { name: address.name, rest, sql };
}

/** Never throws. */
export async function askRest(
  context: Context,
  { name, scope, apiUrl }: MemberAddress,
  verify: VerifyMode,
): Promise<Reading<RestStatus>> {
  if (verify === 'off' || verify === 'sql') return OFF;
  if (apiUrl === null) {
    return { ok: false, kind: 'no_address', reason: 'its DCS key has no api_url' };
  }
  return (await context.patroni()).status({ apiUrl, name, scope }, context.flags.timeoutMs);
}

/** In a session of its own, or in the one that is kept. Never throws. */
export async function askSql(
  context: Context,
  { host, port }: MemberAddress,
  verify: VerifyMode,
  kept?: KeptSession,
): Promise<Reading<SqlStatus>> {
  if (verify === 'off' || verify === 'rest') return OFF;
  const postgres = await context.postgres();
  if (verify === 'auto' && !postgres.hasLogin) return OFF;
  if (host === null || port === null) {
    return { ok: false, kind: 'no_address', reason: 'its DCS key has no conn_url' };
  }
  return postgres.status({ host, port }, context.flags.timeoutMs, kept);
}
