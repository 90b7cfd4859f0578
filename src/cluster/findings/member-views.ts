/** Members that stand for the DCS (--rest): whether they agree, and whether it is always the same one that answers. */
import type { Finding, ClusterAnswer as Told } from '../model/model.js';
import type { View } from '../roles/view.js';

/** Whether members were asked instead of the DCS. */
export function isToldByMembers({ snapshot }: View): boolean {
  return snapshot.cluster.memberAnswers !== undefined;
}

export function memberViewsDiffer({ snapshot }: View): Finding[] {
  const [first, ...others] = snapshot.cluster.memberAnswers?.views ?? [];
  if (first === undefined) return [];
  return others.map((other) => ({
    code: 'member_views_differ',
    severity: 'warning',
    members: [first.member, other.member],
    message: `${first.member} and ${other.member} give different views of the cluster: ${difference(first, other)}`,
    evidence: [first, other].map((view) => ({
      witness: 'REST',
      subject: `${view.member} GET /cluster`,
      said: whole(view),
    })),
    next: 'check whether Patroni on both reaches the DCS; trust the view that SQL confirms',
  }));
}

function difference(a: Told, b: Told): string {
  if (a.leader !== b.leader) return `leader ${a.leader ?? 'none'} against ${b.leader ?? 'none'}`;
  if (a.roles.join() !== b.roles.join()) {
    const [only, other] = [without(a.roles, b.roles), without(b.roles, a.roles)];
    return `${only || 'nothing'} against ${other || 'nothing'}`;
  }
  if (a.pause !== b.pause)
    return `${a.pause ? 'paused' : 'not paused'} against ${b.pause ? 'paused' : 'not paused'}`;
  return `switchover at ${a.scheduledAt ?? 'no time'} against ${b.scheduledAt ?? 'no time'}`;
}

function without(roles: readonly string[], others: readonly string[]): string {
  return roles.filter((role) => !others.includes(role)).join(', ');
}

function whole({ leader, roles, pause, scheduledAt }: Told): string {
  const schedule = scheduledAt === null ? '' : `, switchover scheduled at ${scheduledAt}`;
  return `leader ${leader ?? 'none'}; ${roles.join(', ')}${pause ? '; paused' : ''}${schedule}`;
}

export function restThroughProxy({ snapshot }: View): Finding[] {
  const { url, answeredBy } = snapshot.cluster.memberAnswers ?? { url: '', answeredBy: [] };
  if (answeredBy.length < 2) return [];
  return [
    {
      code: 'rest_through_proxy',
      severity: 'info',
      members: [...answeredBy],
      message: `${url} is answered by ${answeredBy.join(' and ')}: a proxy in between chooses the member`,
      evidence: answeredBy.map((name) => ({
        witness: 'REST',
        subject: `${url} GET /patroni`,
        said: `patroni.name is ${name}`,
      })),
      next: 'give addresses of members to --rest',
    },
  ];
}
