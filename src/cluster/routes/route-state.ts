/** What a route comes to: where it leads, and what is wrong with that. */
import { list } from '../findings/evidence.js';
import type { Finding, Witnessed } from '../model/model.js';
import { routeName, type RouteReading } from '../model/route-model.js';
import type { MemberView, View } from '../roles/view.js';
import { landingOf, type Connected, type Landing } from './landing.js';
import { primaryOf, whoAnswers, type Who } from './who-answers.js';

/** One connection of a route, and the server at its end. */
interface End extends Connected {
  who: Who;
}

export interface RouteState {
  /** `rw db:5000` */
  name: string;
  reading: RouteReading;
  /** Servers at which a client may end, each once: names of members, or addresses. */
  leadsTo: string[];
  /** What is wrong; a route that could not be asked is `route_unasked`. */
  findings: Finding[];
}

interface Judged {
  view: View;
  reading: RouteReading;
  name: string;
  landing: Landing;
  ends: End[];
}

/** Every route that was asked, judged by what the members say of themselves. */
export function routeStates(view: View): RouteState[] {
  return (view.snapshot.routes ?? []).map((reading) => {
    const landing = landingOf(reading);
    const ends = landing.ends.map((end): End => ({ ...end, who: whoAnswers(view, end.answer) }));
    const name = routeName(reading.route);
    const judged = { view, reading, name, landing, ends };
    const found = reading.route.kind === 'rw' ? writeFindings(judged) : readFindings(judged);
    const findings = [...otherCluster(judged), ...found, ...unasked(judged)];
    return { name, reading, leadsTo: [...new Set(ends.map(serverName))], findings };
  });
}

// ---------------------------------------------------------------- rw

function writeFindings(judged: Judged): Finding[] {
  const { view, ends, name, landing } = judged;
  // A standby cluster takes no writes: its write route leads to the other site, or nowhere.
  if (view.snapshot.cluster.config?.standbyCluster) return [];
  const right = ends.filter(({ who }) => who.what === 'leader');
  const old = ends.filter(({ who }) => who.what === 'primary');
  const replicas = ends.filter(({ who }) => who.what === 'replica');
  const leader = primaryOf(view)?.name ?? 'the primary';
  const findings: Finding[] = [];
  if (old.length > 0) {
    findings.push(
      finding(judged, 'write_route_old_primary', 'critical', old, {
        message: `the write route ${name} leads to ${servers(old)}, which accepts writes and is not the leader`,
        next: `stop the clients of this route, or ${servers(old)}: what is written there is lost; then let the route lead to ${leader}`,
      }),
    );
  }
  if (right.length === 0 && replicas.length > 0) {
    findings.push(
      finding(judged, 'write_route_replica', 'critical', replicas, {
        message: `the write route ${name} leads to ${replicas.length > 0 && isOne(replicas) ? 'a replica' : 'replicas'}: ${servers(replicas)}`,
        next: writeAdvice(judged, leader),
      }),
    );
  }
  if (ends.length === 0 && landing.refused.length === 0) {
    findings.push(nowhere(judged, 'write_route_down', `the write route ${name}`));
  }
  if (right.length > 0) findings.push(...partial(judged, replicas, leader));
  return findings;
}

function writeAdvice({ reading }: Judged, leader: string): string {
  const { hosts, targetSessionAttrs } = reading.route;
  if (hosts.length > 1 && targetSessionAttrs !== 'read-write' && targetSessionAttrs !== 'primary') {
    return 'add target_session_attrs=read-write to the connection string of the clients';
  }
  return `let the route lead to ${leader}: a proxy needs GET /primary of Patroni as its health check; a virtual IP or a DNS record has to follow the leader`;
}

/** Some of the connections arrive; those that do not are a replica's, or end nowhere. */
function partial(judged: Judged, replicas: readonly End[], leader: string): Finding[] {
  const { name, landing, ends, reading } = judged;
  if (replicas.length > 0) {
    return [
      finding(judged, 'route_partial', 'critical', replicas, {
        message: `the write route ${name} leads to ${leader} on only ${ends.length - replicas.length} of ${ends.length} connections: ${servers(replicas)} answers the others as a replica`,
        next: writeAdvice(judged, leader),
      }),
    ];
  }
  if (landing.dead.length === 0) return [];
  const places = [...new Set(landing.dead.map(({ at }) => placeOf(reading, at)))];
  return [
    {
      code: 'route_partial',
      severity: 'warning',
      members: [],
      message: `the route ${name} leads to ${servers(ends)}, but not on every address: ${list(places)} ${places.length === 1 ? 'does' : 'do'} not answer every connection`,
      evidence: evidenceOf(judged),
      next: `see what runs at ${list(places)}, or take it out of the route`,
    },
  ];
}

// ---------------------------------------------------------------- ro

function readFindings(judged: Judged): Finding[] {
  const { view, ends, name, landing } = judged;
  const primaries = ends.filter(({ who }) => who.what === 'leader' || who.what === 'primary');
  const replicas = ends.filter(({ who }) => who.what === 'replica');
  const stale = replicas.filter((end) => streamsNow(view, end) === false);
  const findings: Finding[] = [];
  if (stale.length > 0) {
    findings.push(
      finding(judged, 'read_route_stale', 'critical', stale, {
        message: `the read route ${name} leads to ${servers(stale)}, which ${isOne(stale) ? 'does' : 'do'} not stream`,
        next: `take ${servers(stale)} out of the route until it streams: a proxy needs GET /replica?lag=… of Patroni as its health check`,
      }),
    );
  }
  if (primaries.length > 0) {
    const some = primaries.length === ends.length ? '' : ' on some connections';
    findings.push(
      finding(judged, 'read_route_primary', 'warning', primaries, {
        message: `the read route ${name} leads to the primary${some}: ${servers(primaries)}`,
        next: readAdvice(judged),
      }),
    );
  }
  if (ends.length === 0 && landing.refused.length === 0) {
    findings.push(nowhere(judged, 'read_route_empty', `the read route ${name}`));
  } else if (findings.length === 0 && ends.length > 0) {
    findings.push(...partial(judged, [], ''));
  }
  return findings;
}

function readAdvice({ reading }: Judged): string {
  const { hosts } = reading.route;
  if (hosts.length > 1)
    return 'add target_session_attrs=standby, or prefer-standby, to the connection string of the clients';
  return 'let a proxy use GET /replica of Patroni as its health check; see also whether any replica runs';
}

/** null: not known. The standby itself knows best; else what the members showed. */
export function streamsNow(
  { members, snapshot }: View,
  { answer, who }: { answer: End['answer']; who: Who },
): boolean | null {
  const isStandbyLeader =
    snapshot.cluster.config?.standbyCluster && who.member?.name === snapshot.cluster.leaderName;
  if (answer.streams !== null && !isStandbyLeader) return answer.streams;
  const view = members.find((one) => one === who.member);
  if (view === undefined) return answer.streams;
  if (isStandbyLeader) return answer.streams === true ? true : null;
  return streamsByMembers(view);
}

function streamsByMembers({ row, syncState, rest }: MemberView): boolean | null {
  if (row !== null) return row.state === 'streaming';
  if (syncState === 'absent') return false;
  if (!rest.ok || rest.value.replicationState === null) return null;
  return rest.value.replicationState === 'streaming';
}

// ---------------------------------------------------------------- both

function otherCluster(judged: Judged): Finding[] {
  const { view, name } = judged;
  const others = judged.ends.filter(({ who }) => who.what === 'other cluster');
  if (others.length === 0) return [];
  const ids = [...new Set(others.map(({ answer }) => answer.systemId ?? ''))];
  const own = view.snapshot.cluster.systemId ?? 'another';
  return [
    finding(judged, 'route_other_cluster', 'critical', others, {
      message: `the route ${name} leads to another cluster: system identifier ${list(ids)}, and ${view.snapshot.cluster.scope} has ${own}`,
      next: 'correct the address of the route, or the backends of the proxy: clients read and write the wrong data',
    }),
  ];
}

function nowhere(judged: Judged, code: string, subject: string): Finding {
  const { reading, landing } = judged;
  const { targetSessionAttrs } = reading.route;
  const answering = landing.passed.map(({ answer }) => answer);
  const why =
    answering.length === 0
      ? 'leads to no server'
      : `leads to no server: ${answering.length === 1 ? 'the one that answers is' : 'those that answer are'} not what target_session_attrs=${targetSessionAttrs} demands`;
  return {
    code,
    severity: 'critical',
    members: [],
    message: `${subject} ${why}`,
    evidence: evidenceOf(judged),
    next: 'see whether the proxy or pooler runs, whether its health checks reach the REST API of the members, and whether the name and the port are right',
  };
}

/** Something answered and told nothing: what a client finds there is unknown. */
function unasked(judged: Judged): Finding[] {
  const { landing, name, ends } = judged;
  const hidden = ends.filter(({ who }) => who.what === 'unknown');
  const reasons = [
    ...landing.refused.map(({ reason }) => reason),
    ...hidden.map(() => 'our login may not read the system identifier'),
  ];
  if (reasons.length === 0) return [];
  return [
    {
      code: 'route_unasked',
      severity: 'unknown',
      members: [],
      message: `the route ${name} answers, but where it leads is unknown: ${list([...new Set(reasons)])}`,
      evidence: evidenceOf(judged),
      next: 'give a login that the route accepts: -U NAME, -d DBNAME, ~/.pgpass, or user= and dbname= in the route',
    },
  ];
}

function finding(
  judged: Judged,
  code: string,
  severity: Finding['severity'],
  about: readonly End[],
  { message, next }: Pick<Finding, 'message' | 'next'>,
): Finding {
  const members = [...new Set(about.flatMap(({ who }) => who.member?.name ?? []))].sort();
  return { code, severity, members, message, evidence: evidenceOf(judged), next };
}

// ---------------------------------------------------------------- words

function isOne(ends: readonly End[]): boolean {
  return new Set(ends.map(serverName)).size === 1;
}

function servers(ends: readonly End[]): string {
  return list([...new Set(ends.map(serverName))]);
}

function serverName({ who, answer }: End): string {
  return who.member?.name ?? addressText(answer);
}

function addressText({ address, port }: End['answer']): string {
  return address === null ? 'a server on a Unix socket' : `${address}:${port ?? '?'}`;
}

/** What each address answered, the same answers of one address counted. */
function evidenceOf({ view, reading, name, landing }: Judged): Witnessed[] {
  const answered = [...landing.ends, ...landing.passed].map(({ at, answer }) => ({
    place: placeOf(reading, at),
    said: `leads to ${answerText(view, answer)}`,
  }));
  const silent = [...landing.dead, ...landing.refused].map(({ at, reason }) => ({
    place: placeOf(reading, at),
    said: reason,
  }));
  const counted = new Map<string, { place: string; said: string; count: number }>();
  for (const one of [...answered, ...silent]) {
    const key = `${one.place} ${one.said}`;
    counted.set(key, { ...one, count: (counted.get(key)?.count ?? 0) + 1 });
  }
  const all = [...counted.values()];
  return all.map(({ place, said, count }) => {
    const total = all.reduce((sum, one) => sum + (one.place === place ? one.count : 0), 0);
    const share = count === total ? '' : ` (${count} of ${total} connections)`;
    return { witness: 'route', subject: name, said: `${place}: ${said}${share}` };
  });
}

function answerText(view: View, answer: End['answer']): string {
  const { member, what } = whoAnswers(view, answer);
  const at = addressText(answer);
  const who = member === null ? at : `${member.name} (${at})`;
  const state = answer.inRecovery ? 'in recovery' : 'a primary';
  const timeline = answer.timeline === null ? '' : `, timeline ${answer.timeline}`;
  const streams = answer.streams === false ? ', does not stream' : '';
  const id = what === 'other cluster' ? `, system identifier ${answer.systemId ?? 'unknown'}` : '';
  return `${who}, ${state}${timeline}${streams}${id}`;
}

/** `10.0.0.1:5000`, behind the name that leads there. */
function placeOf({ route }: RouteReading, at: RouteReading['addresses'][number]): string {
  const host = route.hosts[at.host];
  if (host === undefined) return 'an unknown host';
  if (at.address === null || at.address === host.host) return `${host.host}:${host.port}`;
  return `${host.host}:${host.port} (${at.address})`;
}
