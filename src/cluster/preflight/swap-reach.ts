/** Swap: whether this site reaches the other one's leader under the address that will be used, and is let in. */
import { shellWord } from '../model/command-line.js';
import type { Member, Witnessed } from '../model/model.js';
import { plural } from '../model/words.js';
import { admission, type Admission, type HbaRule } from './hba-rules.js';
import type { PlanCheck } from './plan-model.js';
import { bad, dcs, ok } from './plan-facts.js';
import {
  memberOf,
  siteCommand,
  type Site,
  type StandbySource,
  type SwapEvidence,
} from './swap-model.js';

/** The address that standby_cluster will have, and whether the members here reach it. */
export function address(
  here: Site,
  there: Site,
  back: StandbySource | null,
  { reach, access }: SwapEvidence,
): PlanCheck {
  const name = 'way_back';
  if (back === null)
    return bad(
      name,
      'refused',
      `the address of the leader of ${there.label} is unknown`,
      [dcs('/members', 'no conn_url that can be read')],
      'give --host and --port',
    );
  const where = `${back.host}:${back.port}`;
  const evidence = reach.map(({ member, said }): Witnessed => {
    return { witness: 'SQL', subject: memberOf(here, member), said };
  });
  const cut = reach.filter(({ reached }) => reached === false);
  if (cut.length > 0)
    return bad(
      name,
      'refused',
      `${cut.map(({ member }) => member).join(', ')} of ${here.label} cannot reach ${where}`,
      evidence,
      'give an address that this site reaches with --host and --port, or open the way',
    );
  if (access.answers === 'another database')
    return bad(
      name,
      'refused',
      `asked from this machine, ${where} leads to another database than that of ${there.label}`,
      evidence,
      `give the address of the leader of ${there.label} with --host and --port`,
    );
  if (access.answers === 'another server')
    return bad(
      name,
      'warning',
      `asked from this machine, ${where} leads to another server than the leader of ${there.label}`,
      evidence,
      `compare on the hosts of ${here.label}: psql -h ${shellWord(back.host)} -p ${back.port} -c 'SELECT inet_server_addr(), pg_is_in_recovery()'`,
    );
  const unknown = reach.filter(({ reached }) => reached === null);
  if (reach.length === 0 || unknown.length > 0)
    return bad(
      name,
      'unknown',
      `it is unknown whether ${unknown.map(({ member }) => member).join(', ') || 'a member'} of ${here.label} can reach ${where}`,
      evidence,
      `try it on the hosts of ${here.label}: pg_isready -h ${shellWord(back.host)} -p ${back.port}`,
    );
  return ok(name, `${here.label} reaches ${where} and will stream from there`, evidence);
}

/** Whether pg_hba.conf of the other site lets the members here replicate from it. */
export function letIn(
  here: Site,
  there: Site,
  back: StandbySource | null,
  evidence: SwapEvidence,
): PlanCheck | null {
  const name = 'pg_hba';
  if (back === null) return null;
  const { user, rules, why } = evidence.access;
  const members = here.view.snapshot.cluster.members;
  const file = `pg_hba.conf of ${there.label}`;
  const seen = members.map((member) => seenOf(member, there, back, evidence));
  const said = seen.map(({ words }): Witnessed => ({ witness: 'SQL', subject: file, said: words }));
  const broken = (rules ?? []).filter(({ error }) => error !== null);
  const shut = seen.filter(({ admitted }) => admitted === false);
  if (shut.length > 0)
    return bad(
      name,
      'refused',
      `${file} does not let ${user ?? 'replication'} in from ${shut.map(({ member, from }) => `${member} (${from})`).join(', ')}`,
      said,
      `add a rule to postgresql.pg_hba of ${there.label}: host replication ${user ?? 'USER'} ADDRESS scram-sha-256`,
    );
  if (broken.length > 0)
    return bad(
      name,
      'warning',
      `${file} has ${plural(broken.length, 'line')} that PostgreSQL cannot read: ${broken.map(({ line }) => line).join(', ')}`,
      broken.map(({ line, error }): Witnessed => {
        return { witness: 'SQL', subject: `${file}, line ${line}`, said: error ?? '' };
      }),
      'correct it: after the next reload the old rules stay in force, and after a restart PostgreSQL does not start',
    );
  if (seen.every(({ admitted }) => admitted === true) && seen.length > 0)
    return ok(
      name,
      `${file} lets ${user ?? 'replication'} in from every member of ${here.label}`,
      said,
    );
  const open = seen.filter(({ admitted }) => admitted === null);
  return bad(
    name,
    'unknown',
    `it is unknown whether ${file} lets in ${open.map(({ member }) => member).join(', ')} of ${here.label}${rules === null ? `: ${why}` : ''}`,
    said,
    `look for a rule for replication there, as a superuser: SELECT * FROM pg_hba_file_rules; see also: ${siteCommand(there, 'show-config')}`,
  );
}

interface Seen {
  member: string;
  from: string;
  admitted: boolean | null;
  words: string;
}

/** What the member itself was told counts before what the rules say of its address. */
function seenOf(
  { name, host }: Member,
  there: Site,
  back: StandbySource,
  { reach, access, addresses }: SwapEvidence,
): Seen {
  const own = reach.find(({ member }) => member === name)?.admitted ?? null;
  const from = host ?? '?';
  if (own !== null)
    return {
      member: name,
      from,
      admitted: own,
      words: `${own ? 'let' : 'did not let'} ${name} in`,
    };
  const { user, rules } = access;
  const unknown = { member: name, from, admitted: null };
  if (rules === null || user === null || host === null)
    return {
      ...unknown,
      words: `${name}: ${rules === null ? access.why : 'its role or address is unknown'}`,
    };
  const at = [...new Set(addresses.get(host) ?? [])];
  const one = bestOf(at.map((address) => admission(rules, { user, address })));
  // Behind a proxy the connection comes from the proxy.
  if (one?.admitted === false && back.host !== there.view.leader?.member?.host)
    return { ...unknown, words: `${name}: the address from which it connects is unknown` };
  return {
    member: name,
    from,
    admitted: one?.admitted ?? null,
    words: ruleWords(name, from, one, rules),
  };
}

function bestOf(all: readonly Admission[]): Admission | null {
  return (
    all.find(({ admitted }) => admitted === true) ??
    all.find(({ admitted }) => admitted === null) ??
    all[0] ??
    null
  );
}

function ruleWords(
  name: string,
  from: string,
  one: Admission | null,
  rules: readonly HbaRule[],
): string {
  if (one === null) return `${name}: its address is unknown`;
  if (one.line === null) return `no rule for replication from ${from} (${name})`;
  const method = rules.find(({ line }) => line === one.line)?.method ?? '?';
  const decides = one.admitted === null ? 'may decide' : 'decides';
  return `line ${one.line} (${method}) ${decides} for ${name} (${from})`;
}
