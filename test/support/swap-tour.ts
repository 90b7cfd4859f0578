/**
 * Two sites on real Patroni change roles again and again under a client that commits through HAProxy: synchronous
 * modes on both, a slot for either direction, a cascading replica. `npm run swap-tour -- [ROUNDS]`
 * prints a line for each swap. PATRONI chooses the version of Patroni.
 */
import type { ActionDocument } from '../../src/actions/kit/action-document.js';
import { eventually } from './eventually.js';
import type { Lab } from './lab/cluster.js';
import { lostOn, pairLoad } from './pair-load.js';
import { runPatctl } from './run.js';
import { pairRoutes, swapPair } from './swap-pair.js';
import { ready } from './swap-trials.js';

const version = process.env['PATRONI'];

/** What PostgreSQL itself says after a swap. */
async function standing(from: Lab, to: Lab): Promise<Record<string, string>> {
  const primary = (await to.leader()) ?? '';
  const standby = (await from.leader()) ?? '';
  const receivers = from.members.map(async ({ name }) =>
    from.psql(name, 'SELECT status, sender_port, slot_name FROM pg_stat_wal_receiver'),
  );
  return {
    primary: `${to.scope} ${primary} ${to.member(primary).port}`,
    senders: (
      await to.psql(
        primary,
        'SELECT application_name, state, sync_state FROM pg_stat_replication ORDER BY 1',
      )
    ).replaceAll(/\s+/g, ' '),
    standbyLeader: standby,
    receivers: (await Promise.all(receivers)).join(', ').replaceAll('\t', ' '),
  };
}

async function main(rounds: number): Promise<void> {
  const options = { members: 3, ...(version !== undefined && { patroni: version }) };
  const tags = { west3: { replicatefrom: 'west2' } };
  const { east, west } = await swapPair(options, { tags });
  const { rw, ro, through, haproxy } = await pairRoutes(east, west);
  try {
    for (let round = 1; round <= 2 * rounds; round += 1) {
      const { from, to } = await ready(east, west);
      const load = await pairLoad(through);
      await eventually('commits', 20_000, () => Promise.resolve(load.acknowledged.length > 100));
      const startedMs = Date.now();
      const way =
        round % 2 === 1
          ? ['--to', to.config]
          : ['--to-rest', to.members.map(({ restUrl }) => restUrl).join(',')];
      const words = ['-c', from.config, 'swap', ...way, '-f', 'json', '--force'];
      const routes = ['--route', `rw=127.0.0.1:${rw}`, '--route', `ro=127.0.0.1:${ro}`];
      const { code, out, err } = await runPatctl([...words, ...routes], { timeoutMs: 240_000 });
      const tookMs = Date.now() - startedMs;
      const document = JSON.parse(out) as ActionDocument;
      const count = load.acknowledged.length;
      await eventually('commits go on', 60_000, () =>
        Promise.resolve(load.acknowledged.length > count + 50),
      );
      await load.stop();
      const at = code === 0 ? to : (await to.leader()) === null ? from : to;
      const warnings = document.swap?.plan?.checks.filter(({ result }) => result !== 'ok') ?? [];
      const line = {
        ...{ round, way: way[0], code, ending: document.code, message: document.message, tookMs },
        outage: document.swap?.outage,
        ...{ gapMs: load.longestGapMs(), acknowledged: load.acknowledged.length },
        lost: await lostOn(at, (await at.leader()) ?? '', load),
        steps: document.swap?.steps.map(({ step }) => step).join(' '),
        warnings: warnings.map(({ name, result, said }) => `${name} ${result}: ${said}`),
        ...(await standing(from, to)),
        ...(code === 0 ? {} : { hint: document.hint, evidence: document.evidence, err }),
      };
      process.stdout.write(`${JSON.stringify(line)}\n`);
    }
  } finally {
    await haproxy.end();
    await west.down();
    await east.down();
  }
}

await main(Number(process.argv[2] ?? 3));
