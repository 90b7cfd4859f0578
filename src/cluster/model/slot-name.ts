const MOST_CHARACTERS = 63;

/** The replication slot that Patroni makes for a member [slot_name_from_member_name]. */
export function slotName(memberName: string): string {
  const lower = memberName.toLowerCase();
  if (/^[a-z0-9_]*$/.test(lower)) return lower.slice(0, MOST_CHARACTERS);
  const replaced = Array.from(lower, (char) => {
    if (/[a-z0-9_]/.test(char)) return char;
    if (char === '-' || char === '.') return '_';
    return `u${String(char.codePointAt(0)).padStart(4, '0')}`;
  }).join('');
  return replaced.slice(0, MOST_CHARACTERS);
}

/** What PostgreSQL shows in an application_name for bytes that are not printable ASCII: `?` until 15, `\\xc3` later. */
const HIDDEN = /(?:\?|\\x[0-9a-f]{2})+/;

/** Whether the member with this slot may show this application_name; the slot is cut after 63 characters. */
export function mayBeSlotOf(slot: string, applicationName: string): boolean {
  if (slot === slotName(applicationName)) return true;
  const parts = applicationName.toLowerCase().split(HIDDEN).map(slotName);
  if (parts.length === 1) return false;
  return new RegExp(`^${parts.join('(?:u\\d{4,})+')}$`).test(slot);
}
