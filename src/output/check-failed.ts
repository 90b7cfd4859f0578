/** `check` that could not look, in the formats that programs read: an empty file raises no alarm. */
import { labelText, xml, type CheckFormat } from './check-formats.js';
import { oneLine } from './text.js';

/** What was to be looked at; without names a whole namespace. */
export interface NotChecked {
  names: readonly string[];
  /** Citus group, null outside Citus. */
  group: number | null;
}

const IN_FORMAT: Partial<Record<CheckFormat, (said: string, meant: NotChecked) => string>> = {
  nagios: (said) => `PATCTL UNKNOWN - ${said}\n`,
  prometheus: (_, meant) =>
    `# HELP patctl_check_status 0 ok, 1 warning, 2 critical, 3 unknown\n# TYPE patctl_check_status gauge\n${statusLines(meant)}`,
  tap: (said) => `TAP version 14\nBail out! ${said}\n`,
  junit: (said) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="patctl check">\n  <testsuite name="patctl" tests="1" failures="0" errors="1">\n    <testcase classname="patctl" name="check">\n      <error type="unknown" message="${xml(said)}"/>\n    </testcase>\n  </testsuite>\n</testsuites>\n`,
  github: (said) => `::error title=patctl check::${said.replaceAll('%', '%25')}\n`,
};

/** What goes to stdout when nothing was looked at; '' for people and JSON, which get the error elsewhere. */
export function checkFailedText(format: CheckFormat, message: string, meant: NotChecked): string {
  return IN_FORMAT[format]?.(oneLine(message), meant) ?? '';
}

/** Every cluster that was named is unknown; of a whole namespace the names are not known either. */
function statusLines({ names, group }: NotChecked): string {
  if (names.length === 0) return 'patctl_check_status 3\n';
  const ofGroup = group === null ? '' : `,group="${group}"`;
  const lines = names.map(
    (one) => `patctl_check_status{cluster="${labelText(one)}"${ofGroup}} 3\n`,
  );
  return lines.join('');
}
