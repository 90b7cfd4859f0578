/** pg_hba.conf as a server reads it, rule by rule. Only a superuser may, unless it was granted. */
import type { HbaRule } from '../cluster/preflight/hba-rules.js';
import { numberOf, rowOf, rowsOf, textOf } from './row.js';

/** One row, one column `status`. The options are left out: those of LDAP and RADIUS may hold a secret. */
export const ACCESS_RULES_SQL = `
select json_build_object('rules', coalesce((
  select json_agg(r) from (
    select line_number, type, database, user_name, address, netmask, auth_method, error
    from pg_hba_file_rules
  ) r), '[]')) as status`;

export function accessRulesOf(document: unknown): HbaRule[] {
  return rowsOf(rowOf(document)['rules']).map((row) => ({
    line: numberOf(row['line_number']) ?? 0,
    type: textOf(row['type']) ?? '',
    databases: textsOf(row['database']),
    users: textsOf(row['user_name']),
    address: textOf(row['address']),
    netmask: textOf(row['netmask']),
    method: textOf(row['auth_method']),
    error: kindOf(textOf(row['error'])),
  }));
}

/** Without what stands behind the colon: it may be a word of the line, and so a password of LDAP or RADIUS. */
function kindOf(error: string | null): string | null {
  return error?.replace(/:.*$/s, '') ?? null;
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
