/** What patronictl 4.1.5 prints, to the byte, from the same keys. */
import type { Cluster } from '../cluster/model/model.js';
import { exactJson } from './json.js';
import { memberTable, type ListEntry, type MemberTableOptions } from './member-table.js';
import { render, type Column, type Format } from './render.js';
import type { HistoryLine } from '../cluster/model/model.js';
import { yamlDump } from './write-yaml.js';

const TO_THE_BYTE = { asPatronictl: true };

export interface ListCompatOptions extends Omit<MemberTableOptions, 'lost'> {
  /** -t: the time to print above, in the local zone. */
  timestamp?: Date | null;
}

/** stdout of `patronictl list`; an unknown cluster is an entry without clusters. */
export function listCompat(entries: readonly ListEntry[], options: ListCompatOptions): string {
  const head = options.timestamp ? `${timestampText(options.timestamp)}\n` : '';
  return head + entries.map((entry) => oneCluster(entry, options)).join('');
}

/** stdout of `patronictl topology`. */
export function topologyCompat(
  entries: readonly ListEntry[],
  options: Omit<ListCompatOptions, 'format' | 'extended' | 'timestamp'> = {},
): string {
  return listCompat(entries, { ...options, format: 'topology' });
}

function oneCluster(entry: ListEntry, options: ListCompatOptions): string {
  const { title, columns, rows, notes } = memberTable(entry, { ...options, lost: 'drop' });
  return (
    render(options.format, title, columns, rows, TO_THE_BYTE) +
    notes.map((note) => `${note}\n`).join('')
  );
}

/** 2026-11-21 00:24:19, local time. */
export function timestampText(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

/** The columns of `history`; `LSN` is a number of bytes. */
export const HISTORY_COLUMNS: readonly Column<HistoryLine>[] = [
  { key: 'TL', align: 'r', value: (line) => line.timeline },
  { key: 'LSN', align: 'r', value: (line) => line.lsn },
  { key: 'Reason', value: (line) => line.reason },
  { key: 'Timestamp', value: (line) => line.timestamp ?? '' },
  { key: 'New Leader', value: (line) => line.newLeader ?? '' },
];

/** stdout of `patronictl history`; null: unknown cluster. */
export function historyCompat(cluster: Cluster | null, format: Format): string {
  return render(format, '', HISTORY_COLUMNS, cluster?.history ?? [], TO_THE_BYTE);
}

/** stdout of `patronictl show-config`; null: unknown cluster. */
export function showConfigCompat(cluster: Cluster | null, asPyYaml = true): string {
  const config = cluster?.config;
  return config ? `${configYaml(config, asPyYaml)}\n` : '';
}

/** A dynamic configuration as YAML, the way patronictl shows and edits it. */
function configYaml(config: NonNullable<Cluster['config']>, asPyYaml: boolean): string {
  const exact = exactJson(config.text ?? '');
  return yamlDump(exact instanceof Map ? exact : config.raw, { asPyYaml });
}
