/**
 * `npm run chaos -- --minutes 60`: live clusters of every shape are broken on purpose while patctl is run beside
 * them, and each of its words is held against what SQL says. Every incident is a JSON line on stderr (or in
 * --log FILE), the figures are one document on stdout; exit 1 when patctl was wrong once.
 */
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import setup from '../global-setup.js';
import { BUNDLE } from '../run.js';
import { testOwner } from '../shared.js';
import { runChaos } from './chaos.js';
import { SHAPES } from './shapes.js';

const OPTIONS = {
  help: { type: 'boolean', default: false },
  minutes: { type: 'string', default: '60' },
  /** The same seed makes the same choices. */
  seed: { type: 'string', default: String(Date.now() % 100_000) },
  /** Clusters at the same time. */
  lanes: { type: 'string', default: '2' },
  shape: { type: 'string', multiple: true, default: SHAPES.map(({ name }) => name) },
  /** A pattern: only faults whose kind it matches. */
  only: { type: 'string', default: '.' },
  /** Nothing is broken: planned switchovers, restarts and reinits under load alone. */
  planned: { type: 'boolean', default: false },
  log: { type: 'string' },
  /** Another copy of the program, so that a build beside does not disturb. */
  patctl: { type: 'string', default: BUNDLE },
} as const;

/** What makes the run fail. */
const WRONG = ['false critical', 'false calm', 'wrong ending', 'broken promise', 'lost commits'];

const HELP = `npm run chaos -- [OPTIONS]
  --minutes N     how long (default 60)
  --seed N        the same seed makes the same choices
  --lanes N       clusters at the same time (default 2, as two cores bear)
  --shape NAME    only this one, may be repeated: ${SHAPES.map(({ name }) => name).join(', ')}
  --only PATTERN  only faults whose kind it matches
  --planned       break nothing: planned switchovers, restarts and reinits under load
  --log FILE      a JSON line for each event and incident; default stderr
  --patctl FILE   another copy of the program
Exit 1 when patctl was wrong once.
`;

const { values } = parseArgs({ options: OPTIONS });
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error('--minutes is a number above 0');

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());

function log(line: object): void {
  const text = `${JSON.stringify(line)}\n`;
  if (values.log === undefined) process.stderr.write(text);
  else appendFileSync(values.log, text);
}

const takeDown = await setup();
try {
  const summary = await runChaos({
    minutes,
    seed: Number(values.seed),
    shapes: values.shape,
    lanes: Number(values.lanes),
    only: new RegExp(values.only),
    isPlanned: values.planned,
    owner: testOwner(),
    program: values.patctl,
    stop: stop.signal,
    log,
  });
  console.log(JSON.stringify(summary, null, 2));
  if (WRONG.some((what) => (summary.total.incidents[what] ?? 0) > 0)) process.exitCode = 1;
} finally {
  await takeDown();
}
