/** After `--from-lost`: what must be true of the lost site before it may come back, and the command that does it. */
import { argumentOf, shellWord } from '../../cluster/model/command-line.js';
import type { OtherSite } from '../../cluster/preflight/lost-plan.js';
import type { Site } from '../../cluster/preflight/swap-model.js';

/** Nothing of what happened here is known there: its own DCS lets it lead again as soon as a member starts. */
export function beforeReturn(here: Site, { label, view, way }: OtherSite): string[] {
  const { scope } = here.view.snapshot.cluster;
  return [
    `no client writes to ${label}: Patroni and PostgreSQL of each of its members are stopped, or clients are kept from them (VIP, proxy, DNS, firewall); its own DCS would let it be a primary again`,
    `standby_cluster is in its configuration before Patroni starts there; this writes it, and says which members need pg_rewind or a reinit: ${rejoinCommand(here, { view, way })}`,
    `where its DCS was lost too, Patroni writes the configuration again from patroni.dynamic.json or bootstrap.dcs: put standby_cluster (the leader of ${scope}) into bootstrap.dcs and remove patroni.dynamic.json there before Patroni starts`,
  ];
}

function rejoinCommand(here: Site, { view, way }: Pick<OtherSite, 'view' | 'way'>): string {
  const to = here.way.length > 0 ? here.way : ['-c', 'THIS_SITE.yml'];
  const there = view === null ? [] : [argumentOf(view.snapshot.cluster)];
  const from = (way ?? ['-c', 'OLD_SITE.yml']).map(shellWord);
  const words = ['patctl', ...from, 'swap', ...there, '--rejoin', ...toOption(to).map(shellWord)];
  return words.join(' ');
}

/** `-c FILE` as the option that names the other site. */
function toOption(way: readonly string[]): string[] {
  const [option, value = ''] = way;
  return [option === '--rest' ? '--to-rest' : '--to', value];
}
