/** The events of a cluster as a table, and the form that filters it where scripts run. */
import type { ClusterEvent } from '../../cluster/events/event-model.js';
import type { Witnessed } from '../../cluster/model/model.js';
import type { ClusterStory, LeftOutEvents } from '../../cluster/report/report-model.js';
import { tag, type Content, type Element } from './markup.js';
import { countText, limited, shortened, timeText } from './plain-words.js';
import { namesOf, severityMark, table, textElement, timeCell, type PageRow } from './tables.js';

export function eventsPart(story: ClusterStory, { id }: { id: string }): Content {
  const { events, leftOutEvents } = story;
  const heading = tag('h3', {}, 'Events');
  if (events.length === 0) return [heading, tag('p', {}, 'No event was recorded.')];
  return [
    heading,
    leftOutEvents.map(leftOutLine),
    filterForm(events, `${id}-events`),
    table({
      id: `${id}-events`,
      caption: 'In the order in which they were seen',
      headers: ['When', 'Severity', 'Event', 'What happened', 'Members'],
      rows: events.map(rowOf),
    }),
  ];
}

function leftOutLine({ severity, count, untilMs }: LeftOutEvents): Element {
  const what = `${countText(count)} earlier ${severity} event${count === 1 ? ' is' : 's are'} not in the table`;
  return tag(
    'p',
    { class: 'note' },
    `${what} (up to ${timeText(untilMs)}); the recording has them.`,
  );
}

function rowOf(event: ClusterEvent): PageRow {
  const { at, severity, code, message, evidence, members } = event;
  return {
    attributes: { 'data-severity': severity, 'data-code': code },
    cells: [
      timeCell(Date.parse(at)),
      severityMark(severity),
      tag('code', {}, limited(code)),
      [textElement(message), evidence.slice(0, MOST_EVIDENCE).map(evidenceLine)],
      namesOf(members, ''),
    ],
  };
}

const MOST_EVIDENCE = 3;

function evidenceLine({ witness, subject, said }: Witnessed): Element {
  const text = `${witness} ${shortened(subject, 60)}: ${shortened(said, 160)}`;
  return tag('span', { class: 'evidence any' }, text);
}

/** Hidden until the script has taken it into use. */
function filterForm(events: readonly ClusterEvent[], tableId: string): Element {
  const choice = (name: string, label: string, all: string, values: readonly string[]) =>
    tag(
      'label',
      {},
      label,
      tag(
        'select',
        { name },
        tag('option', { value: '' }, all),
        [...new Set(values)].sort().map((value) => tag('option', { value }, value)),
      ),
    );
  return tag(
    'form',
    { class: 'filter', hidden: true, 'data-table': tableId },
    tag('label', {}, 'Words', tag('input', { name: 'text', type: 'search', autocomplete: 'off' })),
    choice(
      'severity',
      'Severity',
      'every severity',
      events.map(({ severity }) => severity),
    ),
    choice(
      'code',
      'Event',
      'every event',
      events.map(({ code }) => code),
    ),
    tag('output', { name: 'count', 'aria-live': 'polite' }),
  );
}
