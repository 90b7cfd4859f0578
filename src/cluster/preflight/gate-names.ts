/** The gates of a rolling change, by name. */

/** The names that --skip-gate takes, in the order in which they are shown. */
export const GATES = [
  'leader',
  'streaming',
  'caught_up',
  'sync',
  'votes',
  'critical',
  'paused',
  'other_work',
] as const;
export type GateName = (typeof GATES)[number];
