/** Headless Chromium over its debugging pipe: what a page asks for, what it says, and what is on it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { ensureChromium } from './setup.js';

type Params = Record<string, unknown>;

interface Message {
  id?: number;
  method?: string;
  params?: Params;
  result?: Params;
  error?: { message: string };
}

export interface Browser {
  /** Opens it and waits until it is loaded. */
  open(url: string): Promise<void>;
  /** The value of an expression in the page. */
  value(expression: string): Promise<unknown>;
  send(method: string, params?: Params): Promise<Params>;
  /** URLs that the page asked for. */
  requests: string[];
  /** Errors, warnings and exceptions of the page. */
  complaints: string[];
  end(): Promise<void>;
}

export async function openChromium(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'patctl-chromium-'));
  const args = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run'];
  const child = spawn(
    await ensureChromium(),
    [...args, '--disable-dev-shm-usage', '--remote-debugging-pipe', `--user-data-dir=${profile}`],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  );
  const exited = once(child, 'exit');
  const [into, from] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const waiting = new Map<number, (message: Message) => void>();
  const listeners = new Map<string, () => void>();
  const requests: string[] = [];
  const complaints: string[] = [];
  /** The page, once it is there; before that the browser itself is meant. */
  const target: { sessionId?: string } = {};
  let last = 0;
  const send = async (method: string, params: Params = {}): Promise<Params> => {
    const id = (last += 1);
    const answer = new Promise<Message>((resolve) => waiting.set(id, resolve));
    into.write(`${JSON.stringify({ id, method, params, ...target })}\0`);
    const { result, error } = await answer;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  };
  const take = ({ id, method = '', params = {}, ...rest }: Message): void => {
    if (id !== undefined) waiting.get(id)?.({ id, ...rest });
    if (method === 'Network.requestWillBeSent') {
      requests.push((params['request'] as { url: string }).url);
    }
    if (/^(Log\.entryAdded|Runtime\.(exceptionThrown|consoleAPICalled))$/.test(method)) {
      complaints.push(JSON.stringify(params));
    }
    listeners.get(method)?.();
  };
  let rest = '';
  from.setEncoding('utf8');
  from.on('data', (chunk: string) => {
    const messages = (rest + chunk).split('\0');
    rest = messages.pop() ?? '';
    for (const text of messages) take(JSON.parse(text) as Message);
  });
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const attached = await send('Target.attachToTarget', { targetId, flatten: true });
  target.sessionId = attached['sessionId'] as string;
  for (const domain of ['Page', 'Network', 'Log', 'Runtime']) await send(`${domain}.enable`);
  return {
    open: async (url) => {
      const loaded = new Promise<void>((resolve) => listeners.set('Page.loadEventFired', resolve));
      await send('Page.navigate', { url });
      await loaded;
    },
    value: async (expression) => {
      const { result, exceptionDetails } = await send('Runtime.evaluate', {
        expression,
        returnByValue: true,
        awaitPromise: true,
      });
      if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
      return (result as { value: unknown }).value;
    },
    send,
    requests,
    complaints,
    end: async () => {
      child.kill('SIGKILL');
      await exited;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
