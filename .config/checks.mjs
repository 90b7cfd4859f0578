// Every check that reads the sources and runs none of them, as `npm test` runs them side by side.
import { bin, cache } from './steps.mjs';

/**
 * [name, command, args], the longest first. What was checked before and has not changed is not checked again; but
 * rules that know types may find something in a file because of another one, so that CI lints everything.
 */
export function staticChecks() {
  const keep = ['--cache', '--cache-strategy', 'content'];
  const lintCache = process.env.CI ? [] : [...keep, '--cache-location', cache('eslint')];
  return [
    ['lint', bin('eslint'), ['-c', '.config/eslint.config.js', ...lintCache, '.']],
    ['types', bin('tsc'), ['-p', '.', '--incremental', '--tsBuildInfoFile', cache('types.json')]],
    ['schemas', process.execPath, ['.config/schemas.mjs', '--check']],
    ['unused code', bin('knip'), ['-c', '.config/knip.json']],
    [
      'format',
      bin('prettier'),
      ['--check', '--log-level', 'warn', ...keep, '--cache-location', cache('prettier.json'), '.'],
    ],
    ['package', bin('publint'), ['--strict']],
  ];
}
