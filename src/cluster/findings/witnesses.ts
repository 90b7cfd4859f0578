/** Witnesses that exist but cannot be asked, and PostgreSQL that accepts no connection. */
import type { Finding, Reading, SilenceKind, Witnessed } from '../model/model.js';
import type { MemberView, View } from '../roles/view.js';
import { list, silentWitnesses } from './evidence.js';

/** Something answers, and it is not a member's own word: a refusal, another program's answer, no usable address. */
function isUnusable(reading: Reading<unknown>): boolean {
  return !reading.ok && ['denied', 'invalid', 'no_address'].includes(reading.kind);
}

function isRefused({ rest, sql }: MemberView): boolean {
  return isUnusable(rest) || isUnusable(sql);
}

function isDown({ rest, observed }: MemberView): boolean {
  if (rest.ok || rest.kind === 'misidentified') return false;
  return rest.kind === 'unreachable' || observed === 'unreachable';
}

/** Members that answer and tell us nothing: our certificate, CA or login is at fault. */
export function memberRefuses({ members }: View): Finding[] {
  const dark = members.filter(
    (one) => one.member !== null && one.witness === null && !isDown(one) && isRefused(one),
  );
  if (dark.length === 0) return [];
  const names = dark.map(({ name }) => name);
  return [
    {
      code: 'member_refuses',
      severity: 'unknown',
      members: names,
      message: `none of the claims about ${list(names)} could be checked`,
      evidence: dark.flatMap((one) =>
        silentWitnesses(one).map(({ witness, reason }) => ({
          witness,
          subject: one.name,
          said: reason,
        })),
      ),
      next: 'correct what the error names: the CA, our certificate, or the login',
    },
  ];
}

/**
 * A REST API that cannot be asked, or that answers what Patroni never would, where SQL speaks for the member: one
 * finding a reason. A member without any answer is `member_refuses`.
 */
export function restUnusable({ members }: View): Finding[] {
  const mute = members.filter(
    ({ member, rest, witness }) => member !== null && witness !== null && isUnusable(rest),
  );
  const reasons = [...new Set(mute.map(({ rest }) => reasonOf(rest)))];
  return reasons.map((reason) => {
    const same = mute.filter(({ rest }) => reasonOf(rest) === reason);
    const names = same.map(({ name }) => name);
    const { rest } = same[0] ?? {};
    const kind = rest === undefined || rest.ok ? 'invalid' : rest.kind;
    return {
      code: 'rest_unusable',
      severity: 'unknown',
      members: names,
      message: `the REST API of ${list(names)} ${TROUBLE[kind] ?? ''}: what only Patroni knows is unknown`,
      evidence: [
        ...names.map((name): Witnessed => ({ witness: 'REST', subject: name, said: reason })),
        ...same.flatMap(urlSeen),
      ],
      next:
        kind === 'denied'
          ? 'correct what the refusal names: ctl.cacert, ctl.certfile and ctl.keyfile, or the allowlist of restapi'
          : `see what answers at the api_url of ${list(names)}: a proxy, another program, or a wrong restapi.connect_address`,
    };
  });
}

const TROUBLE: Partial<Record<SilenceKind, string>> = {
  denied: 'denies our requests',
  no_address: 'has no usable address',
  invalid: 'answers something that Patroni never sends',
};

function reasonOf(reading: Reading<unknown>): string {
  return reading.ok ? '' : reading.reason;
}

function urlSeen({ name, member }: MemberView): Witnessed[] {
  const said = member?.apiUrl ? `api_url ${member.apiUrl}` : 'no api_url';
  return [{ witness: 'DCS', subject: `/members/${name}`, said }];
}

/** A login that was given by name, or our TLS files, refused by a member: the operator asked for what needs SQL. */
export function loginRefused({ members }: View): Finding[] {
  const refused = members.filter((one) => one.member !== null && isGivenLoginRefused(one));
  if (refused.length === 0) return [];
  const names = refused.map(({ name }) => name);
  const ofTls = refused.every(({ sql }) => isTlsRefused(sql));
  return [
    {
      code: 'login_refused',
      severity: 'unknown',
      members: names,
      message: `${ofTls ? 'TLS of our database login fails with' : 'the database login that was given is refused by'} ${list(names)}: what needs SQL there is unknown`,
      evidence: refused.map(({ name, sql }) => ({
        witness: 'SQL',
        subject: name,
        said: sql.ok ? '' : sql.reason,
      })),
      next: ofTls
        ? 'correct sslrootcert, sslcert and sslkey of the login, or leave it out to have only Patroni asked'
        : 'correct the login (-U, PGUSER, PGPASSFILE), or leave it out to have only Patroni asked',
    },
  ];
}

/**
 * A flag or variable is a request of the user; one of the configuration may be meant for other hosts, but its CA,
 * certificate and key are ours in any case.
 */
export function isGivenLoginRefused({ sql }: Pick<MemberView, 'sql'>): boolean {
  if (sql.ok || sql.kind !== 'denied' || sql.full) return false;
  return /(^|; )(flag|environment): /.test(sql.reason) || isTlsRefused(sql);
}

/** Written by src/postgres/connect.ts. */
function isTlsRefused(sql: Reading<unknown>): boolean {
  return !sql.ok && /(^|; |: )TLS: /.test(sql.reason);
}

/**
 * Patroni says that PostgreSQL runs, and it does not serve: by its own words, or because it takes no connection while
 * other members answer SQL. Critical on the leader by its own words or a refused connection; a server that does not
 * answer in time may only be slow.
 */
export function postgresUnreachable({ members, leader }: View): Finding[] {
  const isWayOpen = members.some(({ sql }) => sql.ok);
  return members.flatMap((one): Finding[] => {
    const { name, member, rest, sql } = one;
    if (member === null || !rest.ok || rest.value.state !== 'running') return [];
    if (sql.ok || sql.full) return [];
    const isMute = sql.kind === 'unreachable' && (isWayOpen || sql.cannotServe === true);
    if (!isMute && sql.kind !== 'invalid') return [];
    const isSure = sql.cannotServe === true || (isMute && /refused/i.test(sql.reason));
    const what = isMute ? 'accepts no connection' : 'answers our queries with an error';
    return [
      {
        code: 'postgres_unreachable',
        severity: one === leader && isSure ? 'critical' : 'warning',
        members: [name],
        message: `PostgreSQL on ${name} ${what}, although Patroni says that it runs`,
        evidence: [
          { witness: 'SQL', subject: name, said: sql.reason },
          { witness: 'REST', subject: name, said: `state ${rest.value.state}` },
        ],
        next: sql.cannotServe
          ? `see PostgreSQL's log on ${name}`
          : isMute
            ? `try psql against ${name}: is its postmaster frozen, or does a firewall or listen_addresses block the connection?`
            : `see PostgreSQL's log on ${name}: it has the statement`,
      },
    ];
  });
}

/** Every slot for clients is taken: only superusers, and roles with reserved slots, still get in. */
export function connectionsExhausted({ members, leader }: View): Finding[] {
  return members.flatMap((one): Finding[] => {
    const seen = one.member === null ? null : fullSeen(one);
    if (seen === null) return [];
    return [
      {
        code: 'connections_exhausted',
        severity: one === leader ? 'critical' : 'warning',
        members: [one.name],
        message: `${one.name} refuses clients: every connection is taken`,
        evidence: [seen],
        next: `see which sessions use them (pg_stat_activity on ${one.name}); end idle ones, use a pooler, or raise max_connections`,
      },
    ];
  });
}

function fullSeen({ name, sql }: MemberView): Witnessed | null {
  if (!sql.ok) {
    return sql.full ? { witness: 'SQL', subject: name, said: sql.reason } : null;
  }
  const { connections } = sql.value;
  if (!connections || connections.used < connections.max - connections.reserved) return null;
  const { used, max, reserved } = connections;
  const said = `${used} client connections without ours, max_connections ${max}, of which ${reserved} are reserved`;
  return { witness: 'SQL', subject: `${name} pg_stat_activity`, said };
}
