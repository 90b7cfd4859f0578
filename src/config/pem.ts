import { readLimited } from './read-limited.js';
import { ToolError } from '../errors.js';

/** What a file has to hold. */
export type PemKind = 'certificate' | 'private key';

/** Which setting named the file, and where that stands. */
export interface PemSetting {
  key: string;
  from: string;
}

const BEGINS: Record<PemKind, RegExp> = {
  certificate: /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/,
  'private key': /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
};

/**
 * The text of a certificate or key file; null when none is configured. ToolError `error` names the file and the
 * setting: for a CA file without a certificate, TLS would only report an untrusted server.
 */
export async function readPem(
  path: string | null,
  kind: PemKind,
  { key, from }: PemSetting,
): Promise<string | null> {
  if (path === null) return null;
  const wrong = (what: string, cause?: unknown): ToolError =>
    new ToolError('error', `${from}: ${key}: ${what}`, { code: 'bad_configuration', cause });
  let text: string;
  try {
    text = (await readLimited(path)).toString('utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw wrong(`cannot read ${path}: ${code}`, cause);
  }
  if (!BEGINS[kind].test(text)) throw wrong(`there is no ${kind} in ${path}`);
  return text;
}
