/** After `--from-lost`: what must be true of the lost site before it may come back, and the command that does it. */
import { argumentOf, shellWord } from '../../cluster/model/command-line.js';
import type { OtherSite } from '../../cluster/preflight/lost-model.js';
import type { LiveSite } from './pair.js';

/** Nothing of what happened here is known there: its own DCS lets it lead again as soon as a member starts. */
export function beforeReturn(here: LiveSite, { label, view, way }: OtherSite): string[] {
  const { scope } = here.view.snapshot.cluster;
  return [
    `no client writes to ${label}: Patroni and PostgreSQL of each of its members are stopped, or clients are kept from them (VIP, proxy, DNS, firewall); its own DCS would let it be a primary again`,
    `standby_cluster is in its configuration before Patroni starts there: a site that leads again begins a timeline of its own, and has to be made again; this writes it, and says which members need pg_rewind or a reinit: ${rejoinCommand(here, { view, way })}`,
    `where its DCS was lost too, Patroni writes the configuration again from patroni.dynamic.json or bootstrap.dcs: put standby_cluster (the leader of ${scope}) into bootstrap.dcs and remove patroni.dynamic.json there before Patroni starts`,
  ];
}

function rejoinCommand(here: LiveSite, { view, way }: Pick<OtherSite, 'view' | 'way'>): string {
  const there = view === null ? [] : [argumentOf(view.snapshot.cluster)];
  // Nothing answers at a REST API of a site whose Patroni does not run: its DCS is what is written.
  const file = way?.[0] === '-c' ? way : ['-c', 'OLD_SITE.yml'];
  const from = file.map(shellWord);
  const words = ['patctl', ...from, 'swap', ...there, '--rejoin', ...wayTo(here).map(shellWord)];
  return words.join(' ');
}

/** What leads to this site, as the option that names it at the other one. */
function wayTo({ context }: LiveSite): string[] {
  const [option, value] = context.flags.wayIn;
  if (value !== undefined && option === '-c') return ['--to', value];
  return option === '--rest' && value !== undefined
    ? ['--to-rest', value]
    : ['--to', 'THIS_SITE.yml'];
}
