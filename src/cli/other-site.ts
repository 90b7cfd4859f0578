/** A second Context in one run: the other site of a swap, with the streams, the clock and the signals of this one. */
import type { Context } from '../context.js';
import { defaultFlags, makeContext } from './make-context.js';
import { withoutPassword } from './without-password.js';

/** How the other site is reached: its configuration file, or the REST API of its members. */
export type OtherWay = { file: string } | { rest: string };

/** What leads to a cluster in the environment is meant for this site. */
const OF_THIS_SITE = /^(PATRONI_|PATRONICTL_|PATCTL_|DCS_URL$|KUBECONFIG$)/;

/** `close` is to be called at the end. */
export function otherSite(
  context: Context,
  way: OtherWay,
): { context: Context; close: () => Promise<void> } {
  const { flags, io, clock, signal } = context;
  const env = Object.fromEntries(
    Object.entries(context.env).filter(([name]) => !OF_THIS_SITE.test(name)),
  );
  const world = {
    ...{ io, env, signal, programName: flags.program },
    holdSignals: (listener: (name: NodeJS.Signals) => void) => context.holdSignals(listener),
    ...{ platform: 'linux' as const, nodeVersion: '', arch: '' },
  };
  const made = makeContext(
    world,
    {
      ...defaultFlags(world),
      ...('file' in way ? { configFile: way.file } : { rest: way.rest }),
      ...{ insecure: flags.insecure, timeoutMs: flags.timeoutMs, login: flags.login },
      ...{ quiet: flags.quiet, noInput: flags.noInput, asJson: flags.asJson, debug: flags.debug },
      ...{ color: flags.color, program: flags.program, command: flags.command },
      compat: false,
      wayIn: wayOf(context, way),
    },
    // A physical copy has the roles of this site: its logins are good there, where no file has others.
    { clock, ...('rest' in way && { postgres: () => context.postgres() }) },
  );
  return { context: Object.freeze({ ...made.context, io }), close: made.close };
}

/** The options that lead there, for a command to be typed. */
export function wayOf({ flags }: Pick<Context, 'flags'>, way: OtherWay): string[] {
  const to = 'file' in way ? ['-c', way.file] : ['--rest', withoutPassword(way.rest)];
  return flags.insecure ? [...to, '-k'] : to;
}
