/** Asks members for what they know of their cluster: the first of several addresses that answers counts. */
import type { JsonObject, JsonValue, RestStatus } from '../../cluster/model/model.js';
import { readConfig } from '../../cluster/model/parse-keys.js';
import { isObject } from '../../cluster/model/patroni-values.js';
import { ToolError, type Evidence } from '../../errors.js';
import { parseRestStatus } from '../../patroni/parse-status.js';
import type { CallOutcome, Patroni } from '../../patroni/patroni.js';

/** What one address answered, all at one time. */
export interface Answers {
  url: string;
  /** GET /patroni, asked twice: behind a proxy two members may have answered. At least one. */
  who: RestStatus[];
  /** GET /cluster */
  cluster: JsonObject;
  /** GET /config as text; null: there is none. */
  config: Text;
  /** GET /history as text. */
  history: Text;
  /** GET /failsafe as text; asked only while failsafe_mode is on. */
  failsafe: Text;
}

/** What a path answered: the text, null where Patroni says that it has none, or why it is unknown. */
export type Text = { known: true; text: string | null } | { known: false; why: string };

/** Why an address gave nothing. */
interface NoAnswer {
  url: string;
  said: string;
  /** Who answered there: a Patroni that refuses us, or something else (a page); `other` too where nothing was asked. */
  by: 'patroni' | 'other' | null;
}

/** After this long without an answer, another address is asked as well. */
const NEXT_AFTER_MS = 500;

/** The first address of these that answers, and what it said. ToolError when none does. */
export async function firstAnswers(
  patroni: Patroni,
  urls: readonly string[],
  timeoutMs: number,
): Promise<Answers> {
  const failures: NoAnswer[] = [];
  const found = await firstOf(urls, async (url) => {
    const answers = await answersOf(patroni, url, timeoutMs);
    if ('cluster' in answers) return answers;
    failures.push(answers);
    return null;
  });
  if (found !== null) return found;
  throw noAnswerAt(failures);
}

/** Begins with the first, goes on to the next when one fails or is slow; null when all failed. */
function firstOf<T>(
  items: readonly string[],
  ask: (item: string) => Promise<T | null>,
): Promise<T | null> {
  return new Promise((resolve) => {
    let begun = 0;
    let failed = 0;
    let timer: NodeJS.Timeout | undefined;
    const end = (found: T | null): void => {
      clearTimeout(timer);
      begun = items.length;
      resolve(found);
    };
    const next = (): void => {
      clearTimeout(timer);
      const item = items[begun];
      if (item === undefined) return;
      begun += 1;
      timer = setTimeout(next, NEXT_AFTER_MS);
      void ask(item).then((found) => {
        if (found !== null) return end(found);
        failed += 1;
        if (failed === items.length) end(null);
        else next();
      });
    };
    next();
  });
}

async function answersOf(
  patroni: Patroni,
  url: string,
  timeoutMs: number,
): Promise<Answers | NoAnswer> {
  const get = (path: string): Promise<CallOutcome> =>
    patroni.call('GET', url, path, null, timeoutMs);
  const [first, second, cluster] = await Promise.all([
    get('/patroni'),
    get('/patroni'),
    get('/cluster'),
  ]);
  const who = [first, second].flatMap((outcome) => statusIn(outcome) ?? []);
  const view = clusterAnswerIn(cluster);
  if (who.length === 0) return noAnswer(url, '/patroni', first);
  if (view === null) return noAnswer(url, '/cluster', cluster);
  // Patroni serves these from its memory, which GET /cluster has just brought up to date.
  const [config, history] = await Promise.all([get('/config'), get('/history')]);
  const configText = textIn('/config', config);
  const failsafe: Text = isFailsafeOn(configText)
    ? textIn('/failsafe', await get('/failsafe'))
    : { known: true, text: null };
  const historyText = textIn('/history', history);
  return { url, who, cluster: view, config: configText, history: historyText, failsafe };
}

function statusIn(outcome: CallOutcome): RestStatus | null {
  if (outcome.kind !== 'answered') return null;
  return parseRestStatus(outcome.answer.status, outcome.answer.json);
}

/** GET /cluster of a member; null when it is anything else. */
export function clusterAnswerIn(outcome: CallOutcome): JsonObject | null {
  if (outcome.kind !== 'answered' || outcome.answer.status !== 200) return null;
  const { json } = outcome.answer;
  return isObject(json ?? undefined) && Array.isArray((json as JsonObject)['members'])
    ? (json as JsonObject)
    : null;
}

/** Patroni answers 502 where the DCS has no such key. */
function textIn(path: string, outcome: CallOutcome): Text {
  if (outcome.kind !== 'answered')
    return { known: false, why: `GET ${path} got no answer: ${outcome.reason}` };
  const { status, body, json } = outcome.answer;
  if (status === 502) return { known: true, text: null };
  if (status === 200 && json !== null) return { known: true, text: body };
  return { known: false, why: `GET ${path} ${answerWords(status, body)}` };
}

function isFailsafeOn(config: Text): boolean {
  if (!config.known || config.text === null) return false;
  const raw = JSON.parse(config.text) as JsonValue;
  return isObject(raw) && readConfig(raw).failsafeMode;
}

// ---------------------------------------------------------------- when no member answers

function noAnswer(url: string, path: string, outcome: CallOutcome): NoAnswer {
  if (outcome.kind !== 'answered') {
    const isDenied = outcome.kind === 'not_sent' && outcome.why === 'denied';
    const by = !isDenied ? null : outcome.unasked ? 'other' : 'patroni';
    return { url, said: outcome.reason, by };
  }
  const { status, body } = outcome.answer;
  const by = status === 401 || status === 403 ? 'patroni' : 'other';
  return { url, said: `GET ${path} ${answerWords(status, body)}`, by };
}

/** The beginning of a page is enough to tell which program sent it. */
const PAGE_CHARACTERS = 60;

function answerWords(status: number, body: string): string {
  if (status === 401) return 'was refused with HTTP 401: it requires a login';
  if (status === 403) return 'was refused with HTTP 403';
  const begin = body.replace(/\s+/g, ' ').trim().slice(0, PAGE_CHARACTERS);
  const page = begin === '' ? 'an empty page' : `"${begin}"`;
  return `answered HTTP ${status} with ${page}, which is not Patroni's answer`;
}

function noAnswerAt(failures: readonly NoAnswer[]): ToolError {
  const evidence: Evidence[] = failures.map(({ url, said }) => ({
    witness: 'REST',
    subject: url,
    said,
  }));
  const isRefused = failures.some(({ by }) => by === 'patroni');
  const [only] = failures;
  const where =
    failures.length === 1 && only ? `${only.url}: ${only.said}` : `none of ${failures.length}`;
  return failures.some(({ by }) => by !== null)
    ? new ToolError('error', `no member reported its cluster (${where})`, {
        code: isRefused ? 'rest_refused' : 'rest_no_member',
        evidence,
        hint: hintFor(failures),
      })
    : new ToolError('unreachable', `no member answered (${where})`, {
        code: 'rest_unreachable',
        evidence,
        hint: silentHint(failures),
      });
}

function silentHint(failures: readonly NoAnswer[]): string {
  const noTls = failures.find(({ said }) => said.startsWith('no TLS there'));
  if (noTls) return `give the address with http:// (${noTls.url.replace(/^https:/, 'http:')})`;
  const cut = failures.find(
    ({ url, said }) => url.startsWith('http:') && /ECONNRESET|socket hang up/.test(said),
  );
  if (cut)
    return `if this is a REST API with TLS, give its address with https:// (${cut.url.replace(/^http:/, 'https:')})`;
  return 'give the address of any other member with --rest, several with commas between them';
}

function hintFor(failures: readonly NoAnswer[]): string {
  const said = failures.map((one) => one.said).join(' ');
  if (said.includes('certificate'))
    return 'see ctl.cacert, ctl.certfile and ctl.keyfile; -k does not verify';
  if (said.includes('HTTP 401')) return 'set ctl.authentication.username and password';
  if (said.includes('HTTP 403'))
    return 'a proxy in between refuses it: give the address of a member itself (restapi.connect_address)';
  return "give the address of a member's REST API (restapi.connect_address), not of a page in front of it";
}
