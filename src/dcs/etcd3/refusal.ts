/** What etcd's error answers mean, the same over gRPC and over the JSON gateway. */
import { ToolError } from '../../errors.js';
import { EndpointFailure } from './walk.js';

/** An error answer: gRPC's status code and etcd's words. */
export interface EtcdError {
  code: number;
  message: string;
}

/** The user and what is requested, for the messages. */
export interface Subject {
  username: string | null;
  /** The prefix or key that was asked for. */
  key: string;
}

/** gRPC status codes that etcd uses. */
export const CODE = {
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadline: 4,
  notFound: 5,
  permissionDenied: 7,
  exhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/** The token is unknown or from before a change of users: log in again. */
export function isStaleToken({ code, message }: EtcdError): boolean {
  return code === CODE.unauthenticated || message.includes('revision of auth store is old');
}

export function isAuthOff({ message }: EtcdError): boolean {
  return message.includes('authentication is not enabled');
}

export function isLoginMissing({ message }: EtcdError): boolean {
  return message.includes('user name is empty');
}

export function isCompacted({ code, message }: EtcdError): boolean {
  return code === CODE.outOfRange && message.includes('compacted');
}

/** After this answer it is unknown whether a write was done. */
export function isUndecided({ code }: EtcdError): boolean {
  const undecided: number[] = [
    CODE.canceled,
    CODE.unknown,
    CODE.deadline,
    CODE.aborted,
    CODE.internal,
    CODE.unavailable,
    CODE.dataLoss,
  ];
  return undecided.includes(code);
}

/** OpenSSL's alert that says: I do not take your certificate, or miss it. */
const CERTIFICATE_ALERT =
  /alert ((?:no |bad |unsupported )?certificate(?: [a-z]+)?|unknown ca|handshake failure)/i;

/**
 * A TLS connection that failed, in words, out of what OpenSSL or Node said of it; null when it was not TLS that
 * failed. OpenSSL's own text has an address in memory, a path of the build and a line feed in it.
 */
export function tlsWords(text: string, hasCertificate: boolean): string | null {
  const alert = CERTIFICATE_ALERT.exec(text)?.[1];
  if (alert !== undefined) {
    return hasCertificate
      ? `it refuses our client certificate (${alert})`
      : 'it requires a client certificate (etcd3.cert and etcd3.key)';
  }
  if (/wrong version number|packet length too long/.test(text)) return 'there is no TLS';
  const openssl = /SSL routines:[^:]*:([^:]*)/.exec(text)?.[1];
  if (openssl !== undefined) return `TLS failed (${openssl})`;
  const trust = /[^.]*(?:certificate|issuer|signature|altnames)[^.]*/i.exec(text)?.[0];
  if (trust === undefined) return null;
  const why = trust.replace(/^.*\bError: /, '').trim();
  return `its certificate is not trusted (${why}; see etcd3.cacert)`;
}

/** It answers, but does not speak etcd's protocol. */
export const NO_ETCD = 'but does not answer as etcd does: is the address right?';

/** The error to throw for a call that etcd refused, or that this endpoint alone could not serve. */
export function etcdRefusal(error: EtcdError, subject: Subject): ToolError | EndpointFailure {
  const { code, message } = error;
  const who = subject.username === null ? 'without a user name' : `as user "${subject.username}"`;
  const evidence = [{ witness: 'etcd', subject: subject.key, said: message }];
  if (message.includes('authentication failed')) {
    return new ToolError('error', `etcd refused the login ${who}: wrong user name or password`, {
      code: 'dcs_login_refused',
      hint: 'Check etcd3.username and etcd3.password, or PATRONI_ETCD3_USERNAME and PATRONI_ETCD3_PASSWORD.',
      evidence,
    });
  }
  if (isLoginMissing(error)) {
    return new ToolError('error', 'etcd requires a login, but no user name is configured', {
      code: 'dcs_login_missing',
      hint: 'Set etcd3.username and etcd3.password, or PATRONI_ETCD3_USERNAME and PATRONI_ETCD3_PASSWORD.',
      evidence,
    });
  }
  if (code === CODE.permissionDenied) {
    return new ToolError('error', `etcd denied access to ${subject.key} ${who}`, {
      code: 'dcs_permission_denied',
      hint: `The etcd role needs the permission on the prefix ${subject.key}.`,
      evidence,
    });
  }
  // etcd's own words (an election, an overload) pass; a connection that failed does not.
  if (isUndecided(error)) return new EndpointFailure(message, message.startsWith('etcdserver:'));
  return new ToolError('error', `etcd refused the request for ${subject.key}: ${message}`, {
    evidence,
  });
}
