/** What `npm run -s lab -- provoke STORY` tells a person to type next. */
import { expect, test } from 'vitest';
import { STORIES, storyNames, whatToDo } from '../support/lab/provoke.js';
import { optionsApart, type ClusterOptions } from '../support/lab/state.js';

const LAB = {
  scope: 'demo',
  config: '/tmp/demo/patctl.yml',
  patronictl: '/venv/bin/patronictl',
  member: (name: string) => ({ name, restUrl: `http://127.0.0.1:8008/${name}` }) as never,
};

test('what to look at, how to undo it and how to end it, for the chosen member', () => {
  const provoked = { member: 'pg2', undoBy: 'lab start pg2' };
  expect(whatToDo(LAB, 'two-primaries', provoked, 'demo')).toEqual([
    'it is about pg2; look with:',
    '  bin/patctl.cjs -c /tmp/demo/patctl.yml check',
    '  /venv/bin/patronictl -c /tmp/demo/patctl.yml list',
    '  bin/patctl.cjs -c /tmp/demo/patctl.yml list',
    '  bin/patctl.cjs -c /tmp/demo/patctl.yml leader',
    '  bin/patctl.cjs -c /tmp/demo/patctl.yml check --explain two_primaries',
    'take the trouble away with:',
    '  npm run -s lab -- --scope demo start pg2',
    'end with:',
    '  npm run -s lab -- down --scope demo',
  ]);
});

test.each(storyNames())('%s leaves no word open', (name) => {
  const lines = whatToDo(LAB, name, { member: 'pg2', undoBy: null }, 'demo').join('\n');
  expect(lines).not.toMatch(/MEMBER|URL|^ {2}(patctl|patronictl|lab) /m);
  expect(lines).toContain('nothing: no harm was done');
  expect(STORIES[name].look.length).toBeGreaterThan(0);
});

test('an option that a cluster was made without is told apart', () => {
  const made = { scope: 'demo', members: 3, sync: 'off', tags: { pg2: { nosync: true } } };
  const apart = (wanted: object) => optionsApart(made as unknown as ClusterOptions, wanted);
  expect(apart({})).toEqual([]);
  expect(apart({ members: 3, tags: { pg2: { nosync: true } } })).toEqual([]);
  expect(apart({ members: 5, sync: 'on', tags: {} })).toEqual(['members', 'sync', 'tags']);
});
