/** The same run, where a cluster in another namespace of Kubernetes is meant than in the one that is configured. */
import type { Context } from '../context.js';

const OPTION = '--kube-namespace';

export function atPlace(context: Context, place: string): Context {
  const { wayIn } = context.flags;
  const given = wayIn.indexOf(OPTION);
  const others = wayIn.filter((_, at) => given < 0 || (at !== given && at !== given + 1));
  const flags = { ...context.flags, kubeNamespace: place, wayIn: [...others, OPTION, place] };
  return Object.freeze({
    ...context,
    flags: Object.freeze(flags),
    dcs: async () => {
      const dcs = await context.dcs();
      if (dcs.at === undefined) throw new Error(`${dcs.name} has no namespaces to choose from`);
      return dcs.at(place);
    },
  });
}
