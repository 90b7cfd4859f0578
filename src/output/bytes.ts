/** Sizes for people. */
import { bytesText, FEW_BYTES } from '../cluster/findings/evidence.js';

/** Exact bytes while they are few, binary units with one decimal beyond. */
export function bytes(count: number | null): string {
  if (count === null) return '';
  return count < FEW_BYTES ? `${count} B` : bytesText(count);
}
