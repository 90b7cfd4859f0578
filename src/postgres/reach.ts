/**
 * Whether one server reaches another, asked of itself: dblink connects from there and is closed again. Where it is not
 * installed nothing is made for the question; a program on the server's host is not run either.
 */
import type { Clients, ReachAnswer, ReachTarget } from './postgres.js';
import { rowOf, textOf } from './row.js';

/** One row, one column `status`: the schema of dblink in this database, and whether we may connect without a password. */
export const DBLINK_SQL = `
select json_build_object(
  'schema', (select n.nspname from pg_catalog.pg_extension e
    join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'dblink'),
  'superuser', current_setting('is_superuser') = 'on',
  'database', current_database(),
  'role', current_user) as status`;

/** Schema of dblink, or why it cannot be asked. */
export function dblinkOf(document: unknown): { schema: string } | { why: string } {
  const row = rowOf(document);
  const schema = textOf(row['schema']);
  if (schema === null)
    return { why: `extension dblink is not in its database ${textOf(row['database']) ?? '?'}` };
  // Others must give a password, which would be in a statement.
  if (row['superuser'] !== true)
    return { why: `role ${textOf(row['role']) ?? '?'} is not a superuser, as dblink wants it` };
  return { schema };
}

const CONNECT_S = 2;

/** libpq's words come in English, so that they can be told apart. No password is given: any answer is enough. */
export function reachSql(schema: string, { host, port, user }: ReachTarget): string {
  const words = {
    ...{ host, port: String(port), connect_timeout: String(CONNECT_S) },
    ...{ application_name: 'patctl', gssencmode: 'disable' },
    ...(user === null ? { dbname: 'postgres' } : { user, replication: 'true' }),
  };
  const conninfo = Object.entries(words)
    .map(([key, value]) => `${key}='${value.replaceAll(/['\\]/g, String.raw`\$&`)}'`)
    .join(' ');
  return `
select json_build_object('language', set_config('lc_messages', 'C', false),
  'said', ${identifier(schema)}.dblink_connect('patctl_reach', ${literal(conninfo)})) as status`;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  const quoted = text.replaceAll("'", "''");
  return text.includes('\\') ? ` E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`;
}

export const CONNECTED: ReachAnswer = { reached: true, admitted: true, said: 'it connects' };

const CUT_OFF =
  /connection refused|timeout expired|timed out|no route to host|network is unreachable|could not translate host name/i;
const NOT_LET_IN = /no pg_hba\.conf entry|pg_hba\.conf rejects/;

/** What libpq said of the connection that it could not make, a line for each attempt. */
export function reachOf(lines: string): ReachAnswer {
  const said = lines.trim().replaceAll(/\s*\n\s*/g, '; ');
  const answers = lines.split('\n').filter((line) => /\bFATAL\b/.test(line));
  const isAsked = /no password supplied/.test(said);
  if (answers.length === 0 && !isAsked)
    return { reached: CUT_OFF.test(said) ? false : null, admitted: null, said };
  const isShut = !isAsked && answers.every((line) => NOT_LET_IN.test(line));
  return { reached: true, admitted: isShut ? false : isAsked ? true : null, said };
}

/** One row, one column `status`: where connections to this server come from, ours among them. */
export const CLIENTS_SQL = `
select json_build_object(
  'started_at', (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint::text,
  'system_id', (select system_identifier::text from pg_control_system()),
  'clients', array(select distinct host(a) from unnest(array(
    select client_addr from pg_stat_activity) || inet_client_addr()) a where a is not null)) as status`;

export function clientsOf(document: unknown): Clients {
  const { started_at: startedAt, system_id: systemId, clients } = rowOf(document);
  const addresses = Array.isArray(clients) ? clients : [];
  return {
    startedAt: textOf(startedAt),
    systemId: textOf(systemId),
    addresses: addresses.filter((one) => typeof one === 'string'),
  };
}
