/** What `patctl config show` prints; secrets are masked already. */
import type { Config, SourcedValue } from './effective.js';

/** Every effective value with its source, grouped by section, in a fixed order. */
export function configRows(config: Config): SourcedValue[] {
  const first = new Map<string, number>();
  for (const [index, { key }] of config.sources.entries()) {
    const section = sectionOf(key);
    if (!first.has(section)) first.set(section, index);
  }
  const order = (row: SourcedValue): number => first.get(sectionOf(row.key)) ?? 0;
  return [...config.sources].sort((a, b) => order(a) - order(b));
}

function sectionOf(key: string): string {
  const dot = key.indexOf('.');
  return dot < 0 ? '' : key.slice(0, dot);
}
