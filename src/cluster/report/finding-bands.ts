/** How long each finding was found. */
import { SEVERITIES } from '../findings/find.js';
import type { Finding, Severity } from '../model/model.js';
import type { FindingBand } from './report-model.js';
import { openSpans } from './spans.js';

export interface Bands {
  see(found: readonly Finding[], ms: number): void;
  close(ms: number): void;
  /** Worst first, then in the order in which they began; `isOpen` as it was before `close`. */
  bands(): FindingBand[];
  leftOut(): number;
}

/** A band is of one code and the same members. */
export function openBands(most: number, mostSpans: number): Bands {
  const spans = openSpans<Severity>(most, mostSpans);
  const about = new Map<string, Finding>();
  let here = new Set<string>();
  return {
    see: (found, ms) => {
      const now = new Map(found.map((finding) => [keyOf(finding), finding]));
      for (const key of here) if (!now.has(key)) spans.see(key, null, ms);
      for (const [key, finding] of now) {
        spans.see(key, finding.severity, ms);
        if (about.has(key) || about.size < most) about.set(key, worse(about.get(key), finding));
      }
      here = new Set(now.keys());
    },
    close: (ms) => spans.close(ms),
    bands: () =>
      spans
        .keys()
        .flatMap((key) => {
          const finding = about.get(key);
          if (finding === undefined) return [];
          const { code, members, severity, message } = finding;
          const isOpen = here.has(key);
          return [{ code, members, severity, message, spans: spans.spansOf(key), isOpen }];
        })
        .sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)),
    leftOut: () => spans.leftOut(),
  };
}

function keyOf({ code, members }: Finding): string {
  return JSON.stringify([code, ...members]);
}

/** The later one with the worse severity of both. */
function worse(before: Finding | undefined, now: Finding): Finding {
  if (before === undefined) return now;
  const isWorse = SEVERITIES.indexOf(before.severity) < SEVERITIES.indexOf(now.severity);
  return isWorse ? { ...now, severity: before.severity } : now;
}
