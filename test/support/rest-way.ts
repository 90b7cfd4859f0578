/** A cluster of the lab by the REST APIs of its members alone: no DCS, no scope. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Lab } from './lab/cluster.js';

/** Options of patctl that lead to this cluster by these members, in this order (default: all of them). */
export function restWay(lab: Lab, names?: readonly string[]): string[] {
  const file = `${lab.root}/rest-only.yml`;
  const whole = readFileSync(lab.config, 'utf8');
  // Without the section the address of the DCS is unknown, so that it cannot be asked by mistake.
  const section = /^(?:etcd3|kubernetes):\n(?:[ \t].*\n)*/m;
  const rest = whole.replace(section, '').replace(/^scope:.*\n/m, '');
  if (/etcd|kubernetes/.test(rest)) throw new Error(`${file} still names a DCS`);
  writeFileSync(file, rest);
  const urls = (names ?? lab.members.map(({ name }) => name)).map(
    (name) => lab.member(name).restUrl,
  );
  return ['-c', file, '--rest', urls.join(',')];
}
