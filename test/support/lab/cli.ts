/** `npm run -s lab -- VERB`: a real cluster manually. One JSON line on stdout, progress on stderr. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { SetupError } from '../setup.js';
import { LabError, openCluster, startCluster, type Lab } from './cluster.js';
import { down, downOrphans } from './down.js';
import { labProcesses, type LabProcess } from './process.js';
import { provoke, STORIES, storyNames, whatToDo } from './provoke.js';
import {
  etcdHome,
  listScopes,
  optionsApart,
  readState,
  rootOf,
  type ClusterOptions,
  type Tags,
} from './state.js';

const USAGE = `usage: npm run -s lab -- VERB [OPTION…]

  up      start what is missing, wait until healthy, print where everything is (one JSON line)
            --scope demo        name of the cluster
            --members 3         1 to 9: pg1, pg2, …
            --sync off          off, on or quorum
            --sync-nodes 1      synchronous_node_count
            --patroni VERSION   installed from PyPI when first used, e.g. 3.0.4
            --pg VERSION        of PostgreSQL, 13 to 18: downloaded when first used (default: this machine's)
            --etcd-version VERSION   3.4, 3.5 or 3.6: downloaded or built when first used (default: this machine's)
            --standby-of SCOPE  a standby cluster of that one, in the same etcd
            --own-etcd          with --standby-of: in an etcd of its own, as on another site
            --tags pg2=nofailover:true,replicatefrom:pg3   (may be repeated)
            --dcs etcd          etcd or kubernetes (a kube-apiserver, built from Go's modules when first used)
            --config-maps       with kubernetes: ConfigMaps instead of Endpoints
            --etcd 1            1 or 3 nodes: etcd1, …
            --rest-auth         user and password for what changes something over REST
            --tls               TLS with client certificates for etcd, REST and PostgreSQL
            --loop-wait 2       seconds
  status  the same JSON; what runs goes to stderr
  down    take everything of --scope away; --all: every cluster; --orphans: those of dead test runs
  stop | start | kill [--postgres] | freeze [--postgres] | thaw   MEMBER or etcdN
            kill leaves PostgreSQL running; --postgres takes the postmaster instead of Patroni
  logs    MEMBER or etcdN
  psql    MEMBER -c SQL
  provoke STORY   a trouble on a cluster of its own (scope STORY); without a name: the stories.
            Takes --patroni, --pg and --etcd-version too

All take --scope (default demo).
`;

const OPTIONS = {
  scope: { type: 'string', default: 'demo' },
  members: { type: 'string' },
  sync: { type: 'string' },
  'sync-nodes': { type: 'string' },
  patroni: { type: 'string' },
  pg: { type: 'string' },
  'etcd-version': { type: 'string' },
  'standby-of': { type: 'string' },
  'own-etcd': { type: 'boolean' },
  tags: { type: 'string', multiple: true },
  dcs: { type: 'string' },
  'config-maps': { type: 'boolean' },
  etcd: { type: 'string' },
  'rest-auth': { type: 'boolean' },
  tls: { type: 'boolean' },
  'loop-wait': { type: 'string' },
  postgres: { type: 'boolean' },
  all: { type: 'boolean' },
  orphans: { type: 'boolean' },
  command: { type: 'string', short: 'c' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Values = ReturnType<typeof parse>['values'];

class UsageError extends Error {}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parse(args);
  const [verb, name, ...rest] = positionals;
  if (values.help === true) return void process.stdout.write(USAGE);
  if (verb === undefined || rest.length > 0) throw new UsageError('one verb, and one name at most');
  if (verb === 'up') return await up(values);
  if (verb === 'down') return await takeDown(values);
  if (verb === 'provoke') return await tell(name, values);
  const lab = await openCluster(values.scope);
  if (lab === null) throw new LabError(`there is no cluster ${values.scope}; start it with: up`);
  if (verb === 'status') return status(lab);
  if (name === undefined) throw new UsageError(`${verb}: of which member or etcd node?`);
  await act(lab, verb, name, values);
}

const say = (line: string): void => void process.stderr.write(`lab: ${line}\n`);
const print = (lab: Lab): void => void process.stdout.write(`${JSON.stringify(lab.describe())}\n`);

async function up(values: Values): Promise<void> {
  const options = clusterOptions(values);
  refuseOther(options);
  print(await startCluster(options, { owner: null, progress: say }));
}

/** A cluster that is there stays as it was made: an option that says otherwise must not seem to be taken. */
function refuseOther({ scope = OPTIONS.scope.default, ...wanted }: Partial<ClusterOptions>): void {
  const existing = readState(scope)?.options;
  if (existing === undefined) return;
  const other = optionsApart(existing, wanted);
  if (other.length > 0) {
    throw new LabError(`${scope} is there with another ${other.join(', ')}: take it down first`);
  }
}

async function takeDown(values: Values): Promise<void> {
  if (values.orphans === true) {
    for (const scope of await downOrphans()) say(`${scope} is gone`);
    return;
  }
  for (const scope of values.all === true ? listScopes() : [values.scope]) {
    await down(scope);
    say(`${scope} is gone`);
  }
}

/** The cluster stays in its trouble until `down`. */
async function tell(name: string | undefined, values: Values): Promise<void> {
  const story = storyNames().find((story) => story === name);
  if (story === undefined) {
    if (name !== undefined) throw new UsageError(`no story ${name}`);
    for (const [story, { about }] of Object.entries(STORIES)) {
      process.stdout.write(`${story.padEnd(18)} ${about}\n`);
    }
    return;
  }
  const { about, options } = STORIES[story];
  const scope = values.scope === OPTIONS.scope.default ? story : values.scope;
  // Taking the source down takes its standby cluster down too.
  let toEnd = scope;
  if ('standbyOf' in options) {
    const { standbyOf, ...source } = options;
    await startCluster({ ...source, scope: standbyOf }, { owner: null, progress: say });
    toEnd = standbyOf;
  }
  const versions = versionsOf(values);
  const lab = await startCluster(
    { ...options, ...versions, scope },
    { owner: null, progress: say },
  );
  say(`${story}: ${about}`);
  const provoked = await provoke(lab, story);
  for (const line of whatToDo(lab, story, provoked, toEnd)) say(line);
  print(lab);
}

function status(lab: Lab): void {
  const home = etcdHome(lab.state.options);
  const running = [...lab.processes(), ...(home === lab.scope ? [] : etcdOf(home))];
  for (const { name } of [...lab.etcd, ...lab.members]) {
    const words = running
      .filter((found) => found.name === name)
      .map(({ kind, pid, frozen }) => `${kind} ${pid}${frozen ? ' (frozen)' : ''}`);
    say(`${name}: ${words.length > 0 ? words.join(', ') : 'nothing runs'}`);
  }
  print(lab);
}

/** Of another cluster of the lab. */
function etcdOf(scope: string): LabProcess[] {
  return labProcesses(rootOf(scope)).filter(({ kind }) => kind === 'etcd');
}

async function act(lab: Lab, verb: string, name: string, values: Values): Promise<void> {
  const known = [...lab.etcd, ...(lab.kube ? [lab.kube] : []), ...lab.members].find(
    (one) => one.name === name,
  );
  if (known === undefined) throw new LabError(`${lab.scope} has no ${name}`);
  const which = { postgres: values.postgres === true };
  switch (verb) {
    case 'start':
      return await lab.start(name);
    case 'stop':
      return await lab.stop(name);
    case 'kill':
      return await lab.kill(name, which);
    case 'freeze':
      return lab.freeze(name, which);
    case 'thaw':
      return lab.thaw(name);
    case 'logs':
      return void process.stdout.write(readFileSync(known.log));
    case 'psql':
      if (values.command === undefined) throw new UsageError('psql: -c SQL is missing');
      return void process.stdout.write(`${await lab.psql(name, values.command)}\n`);
    default:
      throw new UsageError(`no such verb: ${verb}`);
  }
}

function clusterOptions(values: Values): Partial<ClusterOptions> {
  const options: Partial<ClusterOptions> = { scope: values.scope };
  if (values.members !== undefined) options.members = Number(values.members);
  if (values.sync !== undefined) options.sync = oneOf('sync', values.sync, ['off', 'on', 'quorum']);
  if (values['sync-nodes'] !== undefined) options.syncNodes = Number(values['sync-nodes']);
  Object.assign(options, versionsOf(values));
  if (values['standby-of'] !== undefined) options.standbyOf = values['standby-of'];
  if (values['own-etcd'] === true) options.ownEtcd = true;
  if (values.tags !== undefined) options.tags = parseTags(values.tags);
  if (values.dcs !== undefined) options.store = oneOf('dcs', values.dcs, ['etcd', 'kubernetes']);
  if (values['config-maps'] === true) options.configMaps = true;
  if (values.etcd !== undefined)
    options.etcd = oneOf('etcd', values.etcd, ['1', '3']) === '3' ? 3 : 1;
  if (values['rest-auth'] === true) options.restAuth = true;
  if (values.tls === true) options.tls = true;
  if (values['loop-wait'] !== undefined) options.loopWait = Number(values['loop-wait']);
  return options;
}

function versionsOf(values: Values): Partial<ClusterOptions> {
  const options: Partial<ClusterOptions> = {};
  if (values.patroni !== undefined) options.patroni = values.patroni;
  if (values.pg !== undefined) options.pg = values.pg;
  if (values['etcd-version'] !== undefined) options.etcdVersion = values['etcd-version'];
  return options;
}

function oneOf<T extends string>(option: string, value: string, allowed: T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new UsageError(`--${option} is one of ${allowed.join(', ')}`);
  return found;
}

/** `pg2=nofailover:true,replicatefrom:pg3` */
function parseTags(texts: string[]): Record<string, Tags> {
  const all: Record<string, Tags> = {};
  for (const text of texts) {
    const [member = '', list = ''] = text.split('=', 2);
    const tags: Tags = (all[member] ??= {});
    for (const pair of list.split(',')) {
      const [key = '', value] = pair.split(':', 2);
      if (member === '' || key === '' || value === undefined) {
        throw new UsageError(`--tags ${text}: expected MEMBER=TAG:VALUE[,TAG:VALUE…]`);
      }
      tags[key] = tagValue(value);
    }
  }
  return all;
}

function tagValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^\d+$/.test(text) ? Number(text) : text;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  if (error instanceof UsageError) process.stderr.write(`\n${USAGE}`);
  const expected = error instanceof SetupError || error instanceof LabError;
  if (!expected && process.env['PATCTL_LAB_DEBUG'] !== undefined) console.error(error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
