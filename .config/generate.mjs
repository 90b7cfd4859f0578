// `npm run generate`: writes everything again that is made from the code: docs/findings.md, docs/commands.md,
// docs/schemas/.
import { bin, step } from './steps.mjs';

step('docs/findings.md', bin('tsx'), ['test/support/write-findings.ts']);
step('docs/commands.md', bin('vitest'), [
  'run',
  '-u',
  '-c',
  '.config/vitest.config.ts',
  '--project',
  'fast',
  'test/unit/docs-commands.test.ts',
]);
step('docs/schemas', process.execPath, ['.config/schemas.mjs']);
