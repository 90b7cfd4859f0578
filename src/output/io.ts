/** The terminal as a command sees it; run.ts makes the real one, tests a recording one. */
export interface Io {
  /** The result, and nothing else. */
  out(text: string): void;
  /** Resolves when stdout has taken what was written; absent: it takes everything at once. */
  drained?(): Promise<void>;
  /** Aborts when nothing more can be written to stdout; only what writes without end has to stop then. */
  readonly outGone?: AbortSignal;
  /** Progress, warnings, prompts, errors. */
  err(text: string): void;
  readonly stdin: NodeJS.ReadableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly stdinIsTty: boolean;
  readonly stdoutIsTty: boolean;
  readonly stderrIsTty: boolean;
  /** The stream ends in a file or in /dev/null: no person reads it now. Absent: it does not. */
  readonly stdoutIsStored?: boolean;
  readonly stderrIsStored?: boolean;
  /** Writes on the terminal itself, wherever the streams lead; false: there is none. */
  onTerminal?(text: string): boolean;
  /** The terminal itself, for hidden input; null: none. */
  openTerminal?(): Pick<Io, 'stdin' | 'stderr'> | null;
  /** Use colour on this stream: a terminal, without NO_COLOR and --no-color. */
  readonly outColor: boolean;
  readonly errColor: boolean;
  /** Terminal width of stdout, 80 when it is not a terminal. */
  readonly columns: number;
  /** Terminal height of stdout; absent when it is not a terminal. */
  readonly rows?: number | undefined;
  /** Calls back when the terminal of stdout has another size, until the function that it returns is called. */
  onResize?(listener: () => void): () => void;
  /**
   * Until the function that it returns is called, the terminal is given back before the process stops or ends, in
   * whatever way, and taken again when it continues; SIGHUP ends the command as SIGTERM does.
   */
  whileOwned?(owner: TerminalOwner): () => void;
  /** Calls back when the process continues after it was stopped, until the function that it returns is called. */
  onContinue?(listener: () => void): () => void;
  /** Stops the process and its job, as Ctrl-Z does where keys come one by one. */
  suspend?(): void;
}

/** What has the whole terminal: how it gives it back and takes it again. Both are idempotent. */
export interface TerminalOwner {
  give(): void;
  take(): void;
}

/** For what writes without end: aborts with the command, and when the reader has closed it. */
export function untilNobodyReads(context: { io: Io; signal: AbortSignal }): AbortSignal {
  const { outGone } = context.io;
  return outGone === undefined ? context.signal : AbortSignal.any([context.signal, outGone]);
}
