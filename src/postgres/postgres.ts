/** PostgreSQL in our words. connect.ts implements it with pg. */
import type { Reading, SqlStatus } from '../cluster/model.js';

export interface PgTarget {
  host: string;
  port: number;
}

export interface Postgres {
  /** True when some login is known at all (flags, PG* variables, pgpass, service or Patroni's file). */
  readonly hasLogin: boolean;
  /** Everything one PostgreSQL says of itself, in one read-only session. Never throws. */
  status(target: PgTarget, timeoutMs: number): Promise<Reading<SqlStatus>>;
}
