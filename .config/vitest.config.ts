import { defineConfig } from 'vitest/config';

// Five tiers: fast (no network, no programs), judge (very many clusters, judged by Patroni's own
// code, patronictl's output, or a count), live (real clusters), chaos (clusters broken
// at random) and kubernetes (a cluster on a real kube-apiserver).
export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    // What was transformed is kept between runs.
    experimental: { fsModuleCache: true, fsModuleCachePath: 'node_modules/.cache/vitest' },
    // A generated page that is missing fails; only `npm run generate` writes it.
    update: 'none',
    // `npm run coverage`: how much of the pure core the fast tier runs. What decides has to be tried.
    coverage: {
      provider: 'v8',
      include: ['src/cluster/**/*.ts'],
      reporter: ['text-summary', 'html'],
      reportsDirectory: 'dist/coverage',
      thresholds: { lines: 94, functions: 95, branches: 85, statements: 93 },
    },
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/{unit,commands,contract}/**/*.test.ts'],
          exclude: ['test/**/*.live.test.ts'],
          // One more than two cores: some tests wait for a server of theirs, or for a program.
          maxWorkers: 3,
          // No test here holds state outside itself, so the program is imported once a worker. Threads, because what
          // processes tell each other costs a fifth of the CPU.
          isolate: false,
          pool: 'threads',
          // Nothing here waits for anything: a test that is slow has a busy machine.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'judge',
          include: ['test/judge/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'live',
          include: ['test/**/*.live.test.ts'],
          testTimeout: 120_000,
          // A hook may have to wait for its turn with a shared cluster.
          hookTimeout: 400_000,
          // Most of a live test is waiting: a file takes 0.4 of a core, so three fit on two cores.
          maxWorkers: 3,
          globalSetup: ['test/support/global-setup.ts'],
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'chaos',
          include: ['test/chaos/**/*.test.ts'],
          // What it measures are moments: nothing else may run beside it.
          maxWorkers: 1,
          globalSetup: ['test/support/global-setup.ts'],
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'kubernetes',
          include: ['test/kubernetes/**/*.kube.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 400_000,
          // All of them use one cluster.
          maxWorkers: 1,
          globalSetup: ['test/support/global-setup.ts'],
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
