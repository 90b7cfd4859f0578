/** libpq's sslmode as what it does: in which order TLS and plain are tried, and what of a certificate is verified. */
import type { ConnectionOptions } from 'node:tls';

export interface SslSettings {
  mode: string;
  rootcert: string | null;
  cert: string | null;
  key: string | null;
  password: string | null;
  /** libpq's own files are looked for in ~/.postgresql. */
  home: string;
}

export type Transport = 'plain' | 'tls';

const ORDER: Record<string, Transport[]> = {
  disable: ['plain'],
  allow: ['plain', 'tls'],
  prefer: ['tls', 'plain'],
  require: ['tls'],
  'verify-ca': ['tls'],
  'verify-full': ['tls'],
};

/** The transports to try, in order; null for a mode that libpq does not know. Unix sockets have no TLS. */
export function transportsOf(mode: string, host: string): Transport[] | null {
  const order = ORDER[mode];
  return order && host.startsWith('/') ? ['plain'] : (order ?? null);
}

/** What pg hands to tls.connect. Throws an Error that names the file when one that is needed cannot be read. */
export async function tlsOptions(ssl: SslSettings): Promise<ConnectionOptions> {
  const system = ssl.rootcert === 'system';
  const ca = system ? null : await readOwn(ssl.rootcert, `${ssl.home}/.postgresql/root.crt`);
  const options = { ...(await clientCertificate(ssl)), ...(ca && { ca }) };
  const verifies = ssl.mode === 'verify-ca' || ssl.mode === 'verify-full' || system;
  if (!verifies && !(ssl.mode === 'require' && ca))
    return { ...options, rejectUnauthorized: false };
  if (!ca && !system) throw new Error(`sslmode ${ssl.mode} needs a root certificate (sslrootcert)`);
  if (ssl.mode === 'verify-full' || system) return { ...options, rejectUnauthorized: true };
  // verify-ca, and require with a CA file: any name will do.
  return { ...options, rejectUnauthorized: true, checkServerIdentity: () => undefined };
}

async function clientCertificate(ssl: SslSettings): Promise<ConnectionOptions> {
  const cert = await readOwn(ssl.cert, `${ssl.home}/.postgresql/postgresql.crt`);
  if (!cert) return {};
  const key = await readOwn(ssl.key, `${ssl.home}/.postgresql/postgresql.key`);
  if (!key) throw new Error('the client certificate has no key (sslkey)');
  return { cert, key, ...(ssl.password !== null && { passphrase: ssl.password }) };
}

/** A file that was named has to be there; the default one may be missing. */
async function readOwn(named: string | null, usual: string): Promise<Buffer | null> {
  const { readLimited } = await import('../config/read-limited.js');
  try {
    return await readLimited(named ?? usual);
  } catch (error) {
    if (named === null) return null;
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new Error(`cannot read ${named}: ${code}`, { cause: error });
  }
}
