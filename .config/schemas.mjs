// Writes docs/schemas/NAME.json from the TypeScript types of patctl's own documents, or with --check
// fails when what stands there is another. `npm run generate`.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createGenerator } from 'ts-json-schema-generator';

const root = path.join(import.meta.dirname, '..');

/** document -> where its type stands */
const DOCUMENTS = {
  action: ['src/actions/kit/action-document.ts', 'ActionDocument'],
  change: ['src/actions/switchover/conclusion.ts', 'AnyChangeDocument'],
  check: ['src/cluster/documents/check-document.ts', 'CheckDocument'],
  quorum: ['src/cluster/documents/quorum-document.ts', 'QuorumDocument'],
  'quorum-lose': ['src/cluster/documents/loss-forecast-document.ts', 'LossForecastDocument'],
  'why-not': ['src/cluster/documents/why-not-document.ts', 'WhyNotDocument'],
  explain: ['src/cluster/documents/explain-document.ts', 'ExplainDocument'],
  'config-show': ['src/commands/config.ts', 'ConfigDocument'],
  record: ['src/dcs/recording/record-lines.ts', 'RecordLine'],
  refusal: ['src/output/refusal-document.ts', 'RefusalDocument'],
  status: ['src/cluster/documents/status-document.ts', 'StatusDocument'],
};

const check = process.argv.includes('--check');
mkdirSync(path.join(root, 'docs/schemas'), { recursive: true });
// One program for all of them: reading the types is what takes its time.
const generator = createGenerator({
  path: `${root}/{${Object.values(DOCUMENTS)
    .map(([file]) => file)
    .join(',')}}`,
  tsconfig: path.join(root, 'tsconfig.json'),
  skipTypeCheck: true,
  additionalProperties: true,
});
for (const [name, [file, type]] of Object.entries(DOCUMENTS)) {
  const schema = generator.createSchema(type);
  // A BigInt in the code; in a line it is written as replaceLsn of recording-file.ts has it.
  if (schema.definitions?.Lsn) {
    const { description } = schema.definitions.Lsn;
    const $lsn = { type: 'string', pattern: '^[0-9A-F]{1,8}/[0-9A-F]{1,8}$' };
    schema.definitions.Lsn = {
      type: 'object',
      properties: { $lsn },
      required: ['$lsn'],
      additionalProperties: false,
      description,
    };
  }
  const text = `${JSON.stringify({ $id: `patctl/${name}`, ...schema }, null, 2)}\n`;
  const target = path.join(root, `docs/schemas/${name}.json`);
  if (!check) writeFileSync(target, text);
  else if (readFileSync(target, 'utf8') !== text) {
    console.error(`docs/schemas/${name}.json is not what ${file} says: run npm run generate`);
    process.exitCode = 1;
  }
}
