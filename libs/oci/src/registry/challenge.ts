import { REGISTRY_LIMITS } from './limits.js';

/** What a registry wants to see before it answers (RFC 9110 §11.6.1). */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const BLANKS = /[ \t]*/y;
const SEPARATORS = /[ \t,]*/y;

/**
 * Reads `WWW-Authenticate`: challenges one behind the other, each with parameters `name="value"`. What is longer than allowed, or
 * stops being one in its middle, is read as far as it is good.
 * @param headers lines of the header
 */
export function parseChallenges(headers: readonly string[]): readonly Challenge[] {
  const text = headers.join(', ');
  if (text.length > REGISTRY_LIMITS.challenge) return [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return undefined;
    at = pattern.lastIndex;
    return found[1] ?? found[0];
  };
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  while (at < text.length) {
    take(SEPARATORS);
    const word = take(TOKEN);
    if (word === undefined) break;
    const afterWord = at;
    take(BLANKS);
    const last = challenges.at(-1);
    if (text[at] !== '=' || last === undefined) {
      // A word without a value begins the next challenge.
      at = afterWord;
      challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
      continue;
    }
    at += 1;
    take(BLANKS);
    const value = text[at] === '"' ? take(QUOTED)?.replace(/\\(.)/g, '$1') : take(TOKEN);
    if (value === undefined) break;
    if (last.parameters.size < REGISTRY_LIMITS.challengeParameters)
      last.parameters.set(word.toLowerCase(), value);
  }
  return challenges;
}
