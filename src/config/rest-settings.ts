/** How to talk to Patroni's REST API, out of the merged configuration. */
import type { RestSettings } from './effective.js';
import type { Reader } from './typed-values.js';

/** Login: ctl, else restapi. CA: ctl.cacert, else restapi.cafile. Client certificate: ctl only. */
export function restSettings(reader: Reader, insecure: boolean, warnings: string[]): RestSettings {
  const text = (key: string): string | null => reader.text(key)?.value ?? null;
  const login = loginOf(reader, 'ctl', warnings) ?? loginOf(reader, 'restapi', warnings);
  const certfile = text('ctl.certfile');
  return {
    username: login?.username ?? null,
    password: login?.password ?? null,
    cacert: text('ctl.cacert') ?? text('restapi.cafile'),
    certfile,
    keyfile: text('ctl.keyfile'),
    keyfilePassword: text('ctl.keyfile_password'),
    insecure,
  };
}

function loginOf(
  reader: Reader,
  section: 'ctl' | 'restapi',
  warnings: string[],
): { username: string; password: string } | null {
  const username = reader.text(`${section}.authentication.username`);
  const password = reader.text(`${section}.authentication.password`);
  if (username && password) return { username: username.value, password: password.value };
  const half = username ?? password;
  if (half) {
    const missing = username ? 'password' : 'username';
    warnings.push(`${half.from}: ${section}.authentication is ignored, it has no ${missing}`);
  }
  return oldLogin(reader.text(`${section}.auth`)?.value ?? '');
}

/** `auth: user:password`, as old files have it. */
function oldLogin(auth: string): { username: string; password: string } | null {
  const colon = auth.indexOf(':');
  return colon < 1 ? null : { username: auth.slice(0, colon), password: auth.slice(colon + 1) };
}
