/** The only file that touches the process: argv, environment, streams, signals, exit code. */
import { main } from './main.js';
import type { Io } from './output/io.js';

// grpc-js sets a TLS server name for IP addresses; the notice about it is nothing for an operator.
process.noDeprecation = true;

const interrupt = new AbortController();
let signals = 0;
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    signals += 1;
    // The first asks for an orderly end, the second does not wait for it.
    if (signals > 1) process.exit(130);
    interrupt.abort();
  });
}

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

const io: Io = {
  out: (text) => void process.stdout.write(text),
  drained: () => drained(process.stdout),
  err: (text) => void process.stderr.write(text),
  // Node opens stdin when it is looked at, which most commands never do.
  get stdin() {
    return process.stdin;
  },
  get stdinIsTty() {
    return process.stdin.isTTY;
  },
  stderr: process.stderr,
  stdoutIsTty: process.stdout.isTTY,
  stderrIsTty: process.stderr.isTTY,
  outColor: process.stdout.isTTY,
  errColor: process.stderr.isTTY,
  columns: process.stdout.isTTY ? process.stdout.columns : 80,
};

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}

async function run(): Promise<void> {
  const code = await main(process.argv.slice(2), {
    io,
    env: process.env,
    platform: process.platform,
    programName: process.argv[1] ?? 'patctl',
    signal: interrupt.signal,
  });
  // A connection that will not close must not keep the process: leave once the output is out.
  await Promise.all([drained(process.stdout), drained(process.stderr)]);
  process.exit(code);
}

void run();
