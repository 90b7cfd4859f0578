/** Sizes for people. */
/** Exact bytes while they are few, binary units with one decimal beyond. */
export function bytes(count: number | null): string {
  if (count === null) return '';
  if (count < 10_000) return `${count} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let size = count / 1024;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size.toFixed(1)} ${units[unit] ?? ''}`;
}
