/** libpq's connection service file: [name] sections of key=value lines. */
export type Service = Readonly<Record<string, string>>;

/** null: no section of that name. */
export function parseService(text: string, name: string): Service | null {
  let section: Record<string, string> | null = null;
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('[')) {
      if (section) return section;
      if (line === `[${name}]`) section = {};
    } else if (section) {
      const equals = line.indexOf('=');
      if (equals > 0) section[line.slice(0, equals).trim()] ??= line.slice(equals + 1).trim();
    }
  }
  return section;
}

/** The service out of the user's own file, else the system's. null: nowhere defined. */
export async function readService(name: string, paths: string[]): Promise<Service | null> {
  const { readLimited } = await import('../config/read-limited.js');
  for (const path of paths) {
    const text = await readLimited(path).then(String, () => null);
    const service = text === null ? null : parseService(text, name);
    if (service) return service;
  }
  return null;
}
