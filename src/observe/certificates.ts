/** The TLS certificates that etcd, Patroni and PostgreSQL show to any client. Read, not verified. */
import type { Snapshot, SeenCertificate } from '../cluster/model/model.js';
import type { Context } from '../context.js';
import { SSL_REQUEST } from '../postgres/ssl-request.js';

interface Target {
  what: SeenCertificate['what'];
  member: string | null;
  host: string;
  port: number;
  /** PostgreSQL wants to be asked for TLS first. */
  postgres: boolean;
}

/** Every certificate met; a server that shows none within the limit is left out. */
export async function seenCertificates(
  context: Context,
  snapshot: Snapshot,
): Promise<SeenCertificate[]> {
  const targets = [...(await etcdTargets(context)), ...memberTargets(snapshot)];
  const seen = await Promise.all(
    targets.map((target) => certificateOf(target, context.flags.timeoutMs)),
  );
  return seen.filter((one) => one !== null);
}

async function etcdTargets(context: Context): Promise<Target[]> {
  const { etcd } = await context.config();
  return (etcd?.endpoints ?? [])
    .filter(({ protocol }) => protocol === 'https')
    .map(({ host, port }) => ({ what: 'etcd', member: null, host, port, postgres: false }));
}

function memberTargets({ cluster, members }: Snapshot): Target[] {
  return cluster.members.flatMap((member): Target[] => {
    const { name, apiUrl, host, port } = member;
    const readings = members.find((one) => one.name === name);
    const targets: Target[] = [];
    const url = apiUrl !== null && URL.canParse(apiUrl) ? new URL(apiUrl) : null;
    if (url?.protocol === 'https:' && readings?.rest.ok) {
      const at = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
      targets.push({ what: 'Patroni', member: name, ...at, postgres: false });
    }
    if (host !== null && port !== null && readings?.sql.ok) {
      targets.push({ what: 'PostgreSQL', member: name, host, port, postgres: true });
    }
    return targets;
  });
}

async function certificateOf(target: Target, limitMs: number): Promise<SeenCertificate | null> {
  const [net, tls] = await Promise.all([import('node:net'), import('node:tls')]);
  const { what, member, host, port } = target;
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const end = (seen: SeenCertificate | null) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(seen);
    };
    const timer = setTimeout(() => end(null), limitMs);
    const handshake = () => {
      // Shown before anything is trusted: nothing is sent over this connection.
      const secure = tls.connect({
        socket,
        servername: net.isIP(host) ? '' : host,
        rejectUnauthorized: false,
      });
      secure.on('error', () => end(null));
      secure.once('secureConnect', () => {
        const { subject, valid_to: validTo } = secure.getPeerCertificate();
        const ends = Date.parse(validTo);
        if (Number.isNaN(ends)) return end(null);
        const name = subject.CN;
        end({
          what,
          member,
          address: `${host}:${port}`,
          subject: [name ?? []].flat().join(', '),
          validTo: new Date(ends).toISOString(),
        });
      });
    };
    socket.on('error', () => end(null));
    socket.once('connect', () => {
      if (!target.postgres) return handshake();
      socket.write(SSL_REQUEST);
      socket.once('data', (answer) =>
        answer.toString('latin1') === 'S' ? handshake() : end(null),
      );
    });
  });
}
