/** What another user wrote in the meantime, for each key, for the error. */
import { threeWay } from '../../cluster/configuration/config-edit.js';
import type { ToolError } from '../../errors.js';
import { pythonText, type Value } from '../../output/value.js';
import { looksSame, type Document } from './document.js';

/** Key by key: what it was, what it has become, what this edit wants. */
export function threeWayEvidence(
  base: Document,
  theirs: Document,
  mine: Document,
): ToolError['evidence'] {
  const show = (value: Value | undefined) =>
    value === undefined ? 'absent' : pythonText(value).slice(0, 200);
  return threeWay(base, theirs, mine, looksSame).map((one) => {
    const [was, other, own] = [one.base, one.theirs, one.mine].map((node) => show(node as Value));
    const now = other === was ? '' : `, is now ${other ?? ''}`;
    const wanted = own === was ? '' : `, this edit sets ${own ?? ''}`;
    const clash = one.clash ? ' (clash)' : '';
    return {
      witness: 'DCS',
      subject: one.path.join('.'),
      said: `was ${was ?? ''}${now}${wanted}${clash}`,
    };
  });
}
