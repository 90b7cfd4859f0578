/** A certificate authority for one cluster, one server certificate and one client certificate, by openssl. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnv, runProgram } from './process.js';

/** Makes ca.crt, server.{crt,key} and client.{crt,key} in the folder; keys only their owner can read. */
export async function makeCertificates(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await openssl(folder, [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-subj', '/CN=patctl lab CA', '-days', '3650', '-keyout', 'ca.key', '-out', 'ca.crt'],
    ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  ]);
  // etcd's gateway calls its own server with the server's certificate: that one has to be a client's too.
  await issue(folder, 'server', 'patctl lab server', 'serverAuth,clientAuth');
  await issue(folder, 'client', 'patctl', 'clientAuth');
  for (const name of ['ca.key', 'ca.srl', 'server.csr', 'server.ext', 'client.csr', 'client.ext']) {
    rmSync(join(folder, name), { force: true });
  }
  for (const name of ['server.key', 'client.key']) chmodSync(join(folder, name), 0o600);
}

async function issue(folder: string, name: string, cn: string, usage: string): Promise<void> {
  writeFileSync(
    join(folder, `${name}.ext`),
    `subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=${usage}\nkeyUsage=critical,digitalSignature\n`,
  );
  await openssl(folder, [
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-subj', `/CN=${cn}`, '-keyout', `${name}.key`, '-out', `${name}.csr`],
  ]);
  await openssl(folder, [
    ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key'],
    ...['-CAcreateserial', '-days', '3650', '-extfile', `${name}.ext`, '-out', `${name}.crt`],
  ]);
}

async function openssl(folder: string, args: string[]): Promise<void> {
  const done = await runProgram('openssl', args, { cwd: folder, env: cleanEnv(folder) });
  if (done.code !== 0) throw new Error(`openssl ${args[0] ?? ''} failed: ${done.err.trim()}`);
}
