/** What edit-config is asked for. */

/** A text that was named: a file, or stdin. */
export interface NamedText {
  /** Its name for messages. */
  readonly label: string;
  /** ToolError `usage` when it cannot be read. */
  readonly read: () => Promise<string>;
}

export interface EditRequest {
  readonly scope: string;
  readonly group: number | null;
  /** The difference is not shown. */
  readonly quiet: boolean;
  /** `key=value`, in order; null as the value removes. */
  readonly pairs: readonly string[];
  /** Changes to apply. */
  readonly apply: NamedText | null;
  /** The whole configuration. */
  readonly replace: NamedText | null;
  /** File of an edit that was saved; null: none. */
  readonly resume: string | null;
  /** Check and show nothing else. */
  readonly checkOnly: boolean;
  readonly dryRun: boolean;
  /** Codes of checks whose failure does not refuse it; `all` for each. */
  readonly skipChecks: readonly string[];
  /** Nothing is asked. */
  readonly force: boolean;
  /** The change itself was read from stdin, so no answer can be read from there. */
  readonly stdinIsTaken: boolean;
  /** Until every member has taken it. */
  readonly wait: boolean;
  /** Limit of `wait`, ms; null: two loops and 10 s. */
  readonly deadlineMs: number | null;
}
