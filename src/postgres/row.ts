/** Values out of one JSON row; what is missing or of another type becomes null. */
import { parseLsn, type Lsn } from '../cluster/model/lsn.js';

export type Row = Readonly<Record<string, unknown>>;

export function rowOf(value: unknown): Row {
  return typeof value === 'object' && value !== null ? (value as Row) : {};
}

export function rowsOf(value: unknown): Row[] {
  return Array.isArray(value) ? value.map(rowOf) : [];
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

export function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function booleanOf(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null;
}

export function lsnOf(value: unknown): Lsn | null {
  return typeof value === 'string' ? parseLsn(value) : null;
}
