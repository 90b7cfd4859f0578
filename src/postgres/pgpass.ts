/** libpq's password file (~/.pgpass or PGPASSFILE): host:port:database:user:password, first match wins. */
export interface PgpassLine {
  host: string;
  port: string;
  database: string;
  user: string;
  password: string;
}

/** The host asked for: Unix sockets are called `localhost` in the file. */
export interface PgpassKey {
  host: string;
  port: number;
  database: string;
  user: string;
}

/** Lines that are comments, empty or too short are passed over, as libpq does. */
export function parsePgpass(text: string): PgpassLine[] {
  return text.split(/\r?\n/).flatMap((line) => {
    if (line.startsWith('#')) return [];
    const [host, port, database, user, password] = fields(line);
    if (host === undefined || port === undefined || database === undefined) return [];
    if (user === undefined || password === undefined || password === '') return [];
    return [{ host, port, database, user, password }];
  });
}

/** The password of the first line that fits; `*` fits everything. */
export function findPassword(lines: PgpassLine[], key: PgpassKey): string | null {
  const host = key.host.startsWith('/') ? 'localhost' : key.host;
  const fits = (field: string, wanted: string) => field === '*' || unescape(field) === wanted;
  const line = lines.find(
    (one) =>
      fits(one.host, host) &&
      fits(one.port, String(key.port)) &&
      fits(one.database, key.database) &&
      fits(one.user, key.user),
  );
  return line ? unescape(line.password) : null;
}

/** A file that others may read is not used, as libpq has it. null: no such file, or unusable. */
export async function readPgpass(path: string): Promise<PgpassLine[] | null> {
  // Not node:fs/promises, which costs start-up.
  const [{ statSync }, { readLimited }] = await Promise.all([
    import('node:fs'),
    import('../config/read-limited.js'),
  ]);
  try {
    const found = statSync(path);
    if (!found.isFile() || (found.mode & 0o077) !== 0) return null;
    return parsePgpass(String(await readLimited(path)));
  } catch {
    return null;
  }
}

/** Five fields between colons that no backslash protects, escapes left in: an escaped star is not a wildcard. */
function fields(line: string): string[] {
  const found = line.match(
    /^((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):(.*)$/,
  );
  if (!found) return [];
  const [, host, port, database, user, rest = ''] = found;
  // What follows an unprotected colon behind the password is ignored.
  const password = /^(?:\\.|[^:\\])*/.exec(rest)?.[0];
  return [host, port, database, user, password].map((field) => field ?? '');
}

function unescape(field: string): string {
  return field.replace(/\\(.)/g, '$1');
}
