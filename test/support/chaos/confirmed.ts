/** What cannot be a moment's doing: the same wrong word, twice. */
import type { Incident } from './beside.js';

const AGAIN_WITHIN_MS = 60_000;

/** Incidents of `what` that the same command had told of the same thing before, while the same fault was on. */
export function confirmed(incidents: readonly Incident[], what: string): Incident[] {
  const all = incidents.filter((one) => one.what === what);
  return all.filter((one, at) => all.slice(0, at).some((other) => isAgain(other, one)));
}

function isAgain(before: Incident, one: Incident): boolean {
  const words = ({ shape, during, command, about }: Incident): string =>
    [shape, during.replace(/^after /, ''), command, about.replace(/, for [\d.]+ s$/, '')].join();
  return (
    words(before) === words(one) && Date.parse(one.at) - Date.parse(before.at) <= AGAIN_WITHIN_MS
  );
}
