/** Writes docs/findings.md from the catalogue and its pages. `npm run generate` runs it. */
import { writeFileSync } from 'node:fs';
import { findingsMarkdown } from '../../src/cluster/findings/pages.js';

writeFileSync(new URL('../../docs/findings.md', import.meta.url), findingsMarkdown());
