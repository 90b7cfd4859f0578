/** What a member was at one look, in a word for its lane. */
import type { MemberView, View } from '../roles/view.js';
import type { LaneState } from './report-model.js';

export function laneState(one: MemberView, view: View): LaneState {
  const { observed } = one;
  const holdsKey = one === view.leader;
  if (view.snapshot.verify === 'off') return holdsKey ? 'claimed leader' : 'not asked';
  switch (observed) {
    case 'primary':
      return holdsKey ? 'leader' : 'primary without the key';
    case 'standby leader':
      return 'standby leader';
    case 'replica':
      return holdsKey ? 'key holder, not a primary' : 'replica';
    case 'not running':
      return holdsKey ? 'key holder, not a primary' : 'not running';
    case 'unreachable':
    case 'unknown':
      return 'no answer';
  }
}
