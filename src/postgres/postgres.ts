/** PostgreSQL in our words. connect.ts implements it with pg. */
import type { Reading, Setting, SqlStatus } from '../cluster/model/model.js';
import type { RouteAnswer } from '../cluster/model/route-model.js';
import type { HbaRule } from '../cluster/preflight/hba-rules.js';

export interface PgTarget {
  host: string;
  port: number;
  /** Where `host` leads, when it has been looked up; its certificate still has to be that of `host`. */
  address?: string;
}

/** Where one server is to connect to; `user`: for replication, null: of no meaning. */
export interface ReachTarget {
  host: string;
  port: number;
  user: string | null;
}

/** What a server saw when it connected to another one. */
export interface ReachAnswer {
  /** PostgreSQL answered it; null: unknown. */
  reached: boolean | null;
  /** pg_hba.conf has a rule that lets it in; null: unknown. */
  admitted: boolean | null;
  said: string;
}

/** Of one server. */
export interface Clients {
  /** As SqlStatus.startedAt: tells servers apart. */
  startedAt: string | null;
  systemId: string | null;
  /** Where its connections come from, that of the question among them. */
  addresses: string[];
}

/** What a route says of its login; null where the logins that are configured decide. */
export type LoginWords = Readonly<
  Record<
    | 'user'
    | 'password'
    | 'dbname'
    | 'sslmode'
    | 'sslrootcert'
    | 'sslcert'
    | 'sslkey'
    | 'sslpassword',
    string | null
  >
>;

/** A walsender as it was listed; its pid may belong to another process by now. */
export interface LogicalTarget {
  pid: number;
  slotName: string;
}

/** A base backup that this server is sending. */
export interface BaseBackup {
  pid: number;
  phase: string;
  /** null: not estimated. */
  totalBytes: number | null;
  streamedBytes: number;
  clientAddr: string | null;
}

/** A session that stays open between two questions to one server. `status` opens it, and its owner closes it. */
export interface KeptSession {
  /** null: none is open (yet, or any more). */
  open: OpenSession | null;
}

export interface OpenSession {
  /** Which login it has, e.g. `superuser`. */
  login: string;
  /**
   * The value of column `status` of the statement's one row; rejects, and closes the session, when that takes too
   * long. With a name the server keeps the statement as it prepared it.
   */
  ask(sql: string, timeoutMs: number, name?: string): Promise<unknown>;
  /** Says good-bye, and does not wait. Idempotent. */
  close(): void;
}

export interface Postgres {
  /** True when some login is known at all (flags, PG* variables, pgpass, service or Patroni's file). */
  readonly hasLogin: boolean;
  /**
   * Everything one PostgreSQL says of itself, in one read-only session: a new one, or `kept`, which is opened again
   * where it broke. Never throws.
   */
  status(target: PgTarget, timeoutMs: number, kept?: KeptSession): Promise<Reading<SqlStatus>>;
  /**
   * These settings, by name in lower case; those that it does not know, or hides from us, are left out. Never throws.
   */
  settings(
    target: PgTarget,
    names: readonly string[],
    timeoutMs: number,
  ): Promise<Reading<Record<string, Setting>>>;
  /** Whether it takes writes, asked on a connection of its own as a client would. Never throws. */
  takesWrites(target: PgTarget, timeoutMs: number): Promise<Reading<boolean>>;
  /**
   * Ends those of the listed walsenders that still serve their logical slot, and nothing else; gives the
   * pids that were ended. Needs a superuser, or pg_signal_backend for clients that are none. Never throws.
   */
  terminateLogical(
    target: PgTarget,
    walsenders: readonly LogicalTarget[],
    timeoutMs: number,
  ): Promise<Reading<number[]>>;
  /** The base backups that this server is sending (PostgreSQL 13 and later). Never throws. */
  baseBackups(target: PgTarget, timeoutMs: number): Promise<Reading<BaseBackup[]>>;
  /**
   * The server that answers there, asked as a client would: through proxies and poolers, with any role. Without a login only
   * whether something speaks PostgreSQL's protocol: then `denied`, else `unreachable`. Never throws.
   */
  whoAnswers(target: PgTarget, words: LoginWords, timeoutMs: number): Promise<Reading<RouteAnswer>>;
  /** How long this member's copy of the dynamic configuration has said pause; null: it does not. Never throws. */
  pausedForMs(target: PgTarget, timeoutMs: number): Promise<Reading<number | null>>;
  /** Rules of its pg_hba.conf, which a superuser may read. Never throws. */
  accessRules(target: PgTarget, timeoutMs: number): Promise<Reading<HbaRule[]>>;
  /** Where its connections come from. Never throws. */
  clients(target: PgTarget, timeoutMs: number): Promise<Reading<Clients>>;
  /** Whether this server reaches another one, asked of itself, where it can be asked. Never throws. */
  reaches(target: PgTarget, other: ReachTarget, timeoutMs: number): Promise<Reading<ReachAnswer>>;
}
