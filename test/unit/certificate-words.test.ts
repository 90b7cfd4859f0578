import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readPem } from '../../src/config/pem.js';
import { tlsWords } from '../../src/dcs/etcd3/refusal.js';

/** As OpenSSL in Node 20 says it. */
const openssl = (reason: string): string =>
  `809CC2F3697F0000:error:0A000412:SSL routines:ssl3_read_bytes:${reason}:` +
  '../deps/openssl/openssl/ssl/record/rec_layer_s3.c:1601:SSL alert number 42\n';

describe('a TLS connection that failed', () => {
  it.each([
    [openssl('sslv3 alert bad certificate'), 'bad certificate'],
    [openssl('tlsv13 alert certificate required'), 'certificate required'],
    [openssl('tlsv1 alert unknown ca'), 'unknown ca'],
    [openssl('sslv3 alert handshake failure'), 'handshake failure'],
  ])('%j is about our certificate', (text, alert) => {
    expect(tlsWords(text, false)).toBe(
      'it requires a client certificate (etcd3.cert and etcd3.key)',
    );
    expect(tlsWords(text, true)).toBe(`it refuses our client certificate (${alert})`);
  });

  it.each([
    ['unable to verify the first certificate', 'unable to verify the first certificate'],
    ['Error: certificate has expired', 'certificate has expired'],
    [
      'self-signed certificate in certificate chain',
      'self-signed certificate in certificate chain',
    ],
  ])('%j is about theirs', (text, why) => {
    const words = `its certificate is not trusted (${why}; see etcd3.cacert)`;
    expect(tlsWords(text, true)).toBe(words);
  });

  it('is in one line, whatever OpenSSL says', () => {
    expect(tlsWords(openssl('wrong version number'), false)).toBe('there is no TLS');
    expect(tlsWords(openssl('unsupported protocol'), false)).toBe(
      'TLS failed (unsupported protocol)',
    );
    expect(tlsWords('connect ECONNREFUSED 127.0.0.1:2379', false)).toBeNull();
  });
});

describe('a file of the configuration', () => {
  const folder = mkdtempSync(join(tmpdir(), 'patctl-pem-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const setting = { key: 'etcd3.cacert', from: 'file /etc/p.yml:7' };
  const write = (text: string): string => {
    const path = join(folder, 'file.pem');
    writeFileSync(path, text);
    return path;
  };

  it('that is not there is named with its key and where that stands', async () => {
    await expect(readPem('/nope/ca.crt', 'certificate', setting)).rejects.toThrow(
      'file /etc/p.yml:7: etcd3.cacert: cannot read /nope/ca.crt: ENOENT',
    );
  });

  it('that holds something else is named too', async () => {
    const path = write('-----BEGIN EC PRIVATE KEY-----\n');
    await expect(readPem(path, 'certificate', setting)).rejects.toThrow(
      `file /etc/p.yml:7: etcd3.cacert: there is no certificate in ${path}`,
    );
    expect(await readPem(path, 'private key', setting)).toContain('EC PRIVATE KEY');
    const cert = write('text before\n-----BEGIN CERTIFICATE-----\n');
    expect(await readPem(cert, 'certificate', setting)).toContain('BEGIN');
    await expect(readPem(cert, 'private key', setting)).rejects.toThrow('there is no private key');
  });
});
