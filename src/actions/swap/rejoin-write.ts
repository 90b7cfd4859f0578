/** The old site is told to become a standby cluster: by its Patroni where one answers, else in its DCS. Once. */
import type { Member } from '../../cluster/model/model.js';
import type { RejoinPlan } from '../../cluster/preflight/rejoin-model.js';
import { memberOf, siteCommand } from '../../cluster/preflight/swap-model.js';
import { ToolError, type Evidence } from '../../errors.js';
import { changeStandby } from './change-standby.js';
import { siteCluster, type LiveSite } from './pair.js';
import type { SwapRecord } from './swap-record.js';

/** ToolError where it was not written, or where that is unknown. */
export async function tellStandby(
  site: LiveSite,
  plan: RejoinPlan,
  record: SwapRecord,
): Promise<void> {
  const { label } = site;
  const member = whoAnswers(site);
  const how = member === null ? 'is written into its DCS' : 'is told';
  const said = `${label} becomes a standby cluster of ${plan.there.label}: that ${how}`;
  record.step('demoting', memberOf(site, member?.name ?? null), said);
  if (member === null) return await writeInto(site, plan, record);
  const { context } = site;
  const { standbyCluster } = plan;
  const sent = await changeStandby(context, siteCluster(site), member, standbyCluster, record.tell);
  if (sent.done === 'not written')
    throw new ToolError(sent.ending, `${label} was not told; nothing was changed`, {
      code: sent.ending === 'error' ? 'demotion_refused' : 'not_sent',
      evidence: sent.evidence,
    });
  record.swap({ demoted: sent.done === 'written' ? true : null });
  if (sent.done === 'unknown') throw unknown(site, sent.evidence);
}

/** Any Patroni takes the configuration; the leader's first. */
function whoAnswers({ view }: LiveSite): Member | null {
  const heard = view.members.filter(({ rest }) => rest.ok);
  const leader = heard.find(({ name }) => name === view.leader?.name);
  return (leader ?? heard.find(({ member }) => member !== null))?.member ?? null;
}

/** Under a compare of what was read. */
async function writeInto(site: LiveSite, plan: RejoinPlan, record: SwapRecord): Promise<void> {
  const cluster = siteCluster(site);
  const { raw = {} } = cluster.config ?? {};
  const before = cluster.config?.standbyCluster ?? {};
  const text = JSON.stringify({
    ...raw,
    standby_cluster: { ...before, ...plan.standbyCluster },
  });
  record.swap({ demoted: null });
  const written = await writeConfig(site, text, record);
  record.swap({ demoted: written });
  if (written) return;
  throw new ToolError('error', `the configuration of ${site.label} changed meanwhile`, {
    code: 'concurrent_change',
    hint: 'nothing was written; run the command again to see the current plan',
  });
}

async function writeConfig(site: LiveSite, text: string, record: SwapRecord): Promise<boolean> {
  try {
    const dcs = await site.context.dcs();
    return (await dcs.writeConfig(siteCluster(site), text)).done;
  } catch (error) {
    if (!(error instanceof ToolError) || error.ending !== 'unconfirmed') {
      record.swap({ demoted: false });
      throw error;
    }
    throw unknown(site, [{ witness: 'DCS', subject: '/config', said: error.message }]);
  }
}

function unknown(site: LiveSite, evidence: Evidence[]): ToolError {
  return new ToolError(
    'unconfirmed',
    `it is unknown whether ${site.label} was told to become a standby cluster`,
    {
      code: 'demotion_unknown',
      evidence,
      hint:
        `look whether standby_cluster is there: ${siteCommand(site, 'show-config')}\n` +
        'if it is not, run the command again',
    },
  );
}
