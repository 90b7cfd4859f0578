/** Errors of the other site, told as such: it is named by options of swap. */
import { ToolError } from '../../errors.js';

const PREFIX = 'the other site: ';
const OPTIONS: Readonly<Record<string, string>> = {
  '--config-file': '--to',
  '--rest': '--to-rest',
};

export function ofOtherSite(error: ToolError): ToolError {
  const { ending, message, code, evidence, hint } = error;
  return new ToolError(ending, PREFIX + renamed(message), {
    code,
    evidence,
    ...(hint !== undefined && { hint: renamed(hint) }),
  });
}

/** Why it is silent, as a clause. */
export function silenceOf({ message }: ToolError): string {
  return message.startsWith(PREFIX) ? message.slice(PREFIX.length) : message;
}

/** In a sentence; an option of a command to be typed keeps its name. */
function renamed(text: string): string {
  return text.replace(
    /\b(named by|with|flag) (--config-file|--rest)\b/g,
    (_, word: string, option: string) => `${word} ${OPTIONS[option] ?? option}`,
  );
}
