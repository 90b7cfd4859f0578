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
