/** --via dcs and --stuck write /failover itself: where that has no way, they end before anything is read. */
import type { Context } from '../../context.js';

export async function needRequests(context: Context): Promise<void> {
  const { noRequests } = await context.dcs();
  if (noRequests) throw noRequests();
}
