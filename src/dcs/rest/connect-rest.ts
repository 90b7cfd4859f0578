/** `--rest`: members' REST APIs as the configuration has them. */
import { ToolError } from '../../errors.js';
import type { Dcs } from '../dcs.js';
import type { DcsInputs } from '../dcs-inputs.js';
import { restDcs } from './rest-dcs.js';

export async function connectRest({ config, timeoutMs }: DcsInputs): Promise<Dcs> {
  const { memberUrls, rest, group } = config;
  if (memberUrls === null) throw new ToolError('error', 'no member is named', { code: 'no_dcs' });
  const { openPatroni } = await import('../../patroni/rest.js');
  return restDcs({ urls: memberUrls.urls, patroni: openPatroni(rest), group, timeoutMs });
}
