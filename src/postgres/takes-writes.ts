/** Whether a server takes writes: out of recovery. Its own default for transactions does not count. */
export const WRITES_SQL = 'SELECT NOT pg_catalog.pg_is_in_recovery() AS status';

export function takesWritesOf(document: unknown): boolean {
  return document === true;
}
