import { restDcs } from '../../src/dcs/rest/rest-dcs.js';
import { openPatroni } from '../../src/patroni/rest.js';
import { PLAIN_REST, startMember } from '../support/member-server.js';
import { describeDcs } from './dcs-contract.js';

describeDcs(
  'a member that answers',
  async () => {
    const member = await startMember(['pg1']);
    return {
      dcs: restDcs({
        urls: [member.url],
        patroni: openPatroni(PLAIN_REST),
        group: null,
        timeoutMs: 2000,
      }),
      patroni: (keys: Record<string, string | null>) => {
        for (const [key, value] of Object.entries(keys)) {
          if (value === null) member.keys.delete(key);
          else member.keys.set(key, value);
        }
        return Promise.resolve();
      },
      end: () => member.close(),
    };
  },
  'member',
);
