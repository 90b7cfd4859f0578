/** A throw-away certificate authority, made with openssl. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Pair {
  /** Paths. */
  cert: string;
  key: string;
}

export interface Authority {
  /** Path of the CA's certificate. */
  ca: string;
  /** A certificate for 127.0.0.1 with this common name; its key locked when a passphrase is given. */
  issue(commonName: string, passphrase?: string): Pair;
  /** PEM text of a file. */
  read(path: string): string;
  remove(): void;
}

export function makeAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'patctl-ca-'));
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: 'ignore' });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  openssl(
    ...['req', '-x509', ...newKey, '-nodes', '-days', '2', '-subj', '/CN=patctl test CA'],
    ...['-keyout', file('ca.key'), '-out', file('ca.crt')],
  );
  return {
    ca: file('ca.crt'),
    issue(commonName, passphrase) {
      const name = passphrase === undefined ? commonName : `${commonName}-locked`;
      const [key, request, cert] = [`${name}.key`, `${name}.csr`, `${name}.crt`].map(file);
      const lock = passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`];
      if (key === undefined || request === undefined || cert === undefined) throw new Error(name);
      openssl(
        'req',
        ...newKey,
        ...lock,
        '-subj',
        `/CN=${commonName}`,
        '-keyout',
        key,
        '-out',
        request,
      );
      writeFileSync(
        file('san.cnf'),
        'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n',
      );
      openssl(
        ...['x509', '-req', '-in', request, '-CA', file('ca.crt'), '-CAkey', file('ca.key')],
        ...['-CAcreateserial', '-days', '2', '-extfile', file('san.cnf'), '-out', cert],
      );
      return { cert, key };
    },
    read: (path) => readFileSync(path, 'utf8'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
