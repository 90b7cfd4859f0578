import tseslint from 'typescript-eslint';
import rooms from './rooms-lint.mjs';

const PURE = 'src/cluster is pure: it imports nothing outside itself.';

export default tseslint.config(
  { ignores: ['dist', 'node_modules', '.lab'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: `${import.meta.dirname}/..` },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { checkThenables: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    plugins: { rooms },
    rules: { 'rooms/arrows': 'error' },
  },
  {
    files: ['src/**/*.ts'],
    // clock.ts reads the clock that performance.now() reads.
    ignores: ['src/run.ts', 'src/clock.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'process', message: 'Only run.ts touches the process.' },
        { name: 'console', message: 'Output goes through context.io.' },
        { name: 'fetch', message: 'fetch costs 40 ms of start-up: use node:http.' },
      ],
      'no-restricted-imports': ['error', { paths: ['process', 'node:process'] }],
    },
  },
  ...['cluster', 'cluster/*'].map((folder) => ({
    files: [`src/${folder}/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: folder === 'cluster' ? '^(?!\\./)' : '^(?!\\./|\\.\\./[^.])', message: PURE },
          ],
        },
      ],
    },
  })),
  {
    ...tseslint.configs.disableTypeChecked,
    files: ['**/*.{js,cjs,mjs}'],
    rules: {
      ...tseslint.configs.disableTypeChecked.rules,
      '@typescript-eslint/no-require-imports': 'off',
    },
  },
);
