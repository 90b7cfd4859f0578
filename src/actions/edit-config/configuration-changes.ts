/** What differs between two configurations, key by key, for programs. Pure. */
import { checkConfig } from '../../cluster/configuration/config-check.js';
import type { JsonObject, JsonValue } from '../../cluster/model/model.js';
import { isObject } from '../../cluster/model/patroni-values.js';
import type { ConfigurationChange } from '../kit/report.js';

const NOT_SHOWN = '(not shown)';

/** The paths that differ, in the order of their names; the value of a secret is `(not shown)`. */
export function configurationChanges(
  before: JsonObject,
  after: JsonObject,
): ConfigurationChange['changes'] {
  const secret = new Set(
    [before, after].flatMap((one) =>
      checkConfig(one)
        .filter(({ code }) => code === 'secret')
        .map(({ key }) => key),
    ),
  );
  return differences(before, after, []).map(({ path, ...values }) => ({
    path,
    before: shown(values.before, path, secret),
    after: shown(values.after, path, secret),
  }));
}

function differences(
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  path: readonly string[],
): ConfigurationChange['changes'] {
  if (isObject(before) && isObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return names.flatMap((name) => differences(before[name], after[name], [...path, name]));
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [{ path: path.join('.'), before: before ?? null, after: after ?? null }];
}

/** What stands under the key of a secret is left out, however deep it is. */
function shown(value: JsonValue, path: string, secret: ReadonlySet<string>): JsonValue {
  if (secret.has(path)) return value === null ? null : NOT_SHOWN;
  if (Array.isArray(value)) return value.map((item) => shown(item, path, secret));
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([name, item]) => [
    name,
    shown(item, path === '' ? name : `${path}.${name}`, secret),
  ]);
  return Object.fromEntries(entries) as JsonObject;
}
