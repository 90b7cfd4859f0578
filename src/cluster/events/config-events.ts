/** Events of the dynamic configuration: a key that changed, pause, failsafe mode. */
import { cleanedAt } from '../configuration/without-secrets.js';
import { isObject } from '../model/patroni-values.js';
import type { DynamicConfig, JsonObject, JsonValue } from '../model/model.js';
import { list } from '../findings/evidence.js';
import { dcsSays, event, type Looking, type NewEvent } from './event-kit.js';

export function configEvents(a: Looking, b: Looking): NewEvent[] {
  return [...dynamicConfig(a, b), ...failsafe(a, b)];
}

function dynamicConfig(a: Looking, b: Looking): NewEvent[] {
  const [was, is] = [a.cluster.config, b.cluster.config];
  if (b.cluster.cannotTell?.config !== undefined) return [];
  if (was?.unreadable || is?.unreadable || was?.text === is?.text) return [];
  return [...paused(was, is, b), ...changedKeys(was, is, b)];
}

function paused(was: DynamicConfig | null, is: DynamicConfig | null, now: Looking): NewEvent[] {
  const [from, to] = [was?.pause === true, is?.pause === true];
  if (from === to) return [];
  return [
    event({
      code: to ? 'paused' : 'resumed',
      severity: to ? 'warning' : 'info',
      revision: is?.modRevision ?? now.cluster.revision,
      message: to
        ? 'the cluster is paused: Patroni does not fail over by itself'
        : 'the cluster is no longer paused',
      evidence: [dcsSays('/config', `pause: ${to}`)],
    }),
  ];
}

function changedKeys(
  was: DynamicConfig | null,
  is: DynamicConfig | null,
  now: Looking,
): NewEvent[] {
  return differences(was?.raw ?? {}, is?.raw ?? {}, [])
    .filter(({ keys }) => keys.join('.') !== 'pause')
    .map(({ keys, from, to }) => {
      const name = keys.join('.');
      return event({
        code: 'config_changed',
        revision: is?.modRevision ?? now.cluster.revision,
        message: changeText(name, shown(from, keys), shown(to, keys)),
        evidence: [dcsSays('/config', `${name}: ${shown(to, keys) ?? 'not set'}`)],
      });
    });
}

/** Both values may be the same once their secrets are taken out. */
function changeText(name: string, from: string | null, to: string | null): string {
  if (from === null) return `${name} was set to ${to ?? 'null'}`;
  if (to === null) return `${name} was removed; it was ${from}`;
  if (from === to) return `${name} changed (${to})`;
  return `${name} changed from ${from} to ${to}`;
}

/** Without secrets; null: not set. */
function shown(value: JsonValue | undefined, keys: readonly string[]): string | null {
  if (value === undefined) return null;
  const safe = cleanedAt(value, keys);
  return typeof safe === 'string' ? safe : JSON.stringify(safe);
}

interface Difference {
  keys: string[];
  from: JsonValue | undefined;
  to: JsonValue | undefined;
}

/** The innermost keys whose values differ. */
function differences(from: JsonObject, to: JsonObject, above: string[]): Difference[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort();
  return names.flatMap((name) => {
    const [was, is] = [from[name], to[name]];
    const keys = [...above, name];
    if (isObject(was) && isObject(is)) return differences(was, is, keys);
    return JSON.stringify(was) === JSON.stringify(is) ? [] : [{ keys, from: was, to: is }];
  });
}

/** The members in failsafe mode, and those that say they are not. */
function failsafeOf({ view }: Looking): { active: string[]; inactive: Set<string> } {
  const told = view.members.flatMap(({ name, rest }) =>
    rest.ok ? [{ name, isActive: rest.value.failsafeModeIsActive }] : [],
  );
  return {
    active: told.filter(({ isActive }) => isActive).map(({ name }) => name),
    inactive: new Set(told.filter(({ isActive }) => !isActive).map(({ name }) => name)),
  };
}

function failsafe(a: Looking, b: Looking): NewEvent[] {
  const [was, is] = [failsafeOf(a), failsafeOf(b)];
  // One that was silent before may have been in it all along, like the others.
  const began = is.active.filter((name) => was.inactive.has(name) || was.active.length === 0);
  const ended = was.active.filter((name) => is.inactive.has(name));
  return [
    ...(began.length === 0
      ? []
      : [
          event({
            code: 'failsafe_began',
            severity: 'warning',
            members: began,
            message: `failsafe mode is active on ${list(began)}`,
            evidence: began.map((subject) => failsafeSays(subject, true)),
          }),
        ]),
    ...(ended.length === 0
      ? []
      : [
          event({
            code: 'failsafe_ended',
            members: ended,
            message: `failsafe mode is no longer active on ${list(ended)}`,
            evidence: ended.map((subject) => failsafeSays(subject, false)),
          }),
        ]),
  ];
}

function failsafeSays(subject: string, isActive: boolean) {
  return { witness: 'REST' as const, subject, said: `failsafe_mode_is_active: ${isActive}` };
}
