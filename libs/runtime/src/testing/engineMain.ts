import type { Answer } from '../answer.js';
import type { Bytes } from '../plan.js';
import { GOLDEN_CASES, goldenText } from './goldenCases.js';

/**
 * Stands in for planner/main.ts in the engine's test: `sing-golden exec list` prints the names of the golden cases, `sing-golden exec NAME` prints that case as Node writes it.
 * The same engine, the same way in and out, but a host made of values.
 */
declare global {
  var plan: (words: readonly Bytes[]) => Answer;
}

globalThis.plan = ([, name = 'list']) => {
  const golden = GOLDEN_CASES.find((one) => one.name === name);
  const names = GOLDEN_CASES.map((one) => `${one.name}\n`).join('');
  return {
    kind: 'print',
    messages: [],
    level: 1,
    colour: false,
    stderr: '',
    stdout: golden === undefined ? names : asciiOnly(goldenText(golden)),
    status: golden === undefined && name !== 'list' ? 1 : 0,
  };
};

/** JSON escapes for everything that is not ASCII: the comparison is of parsed JSON. */
function asciiOnly(json: string): Bytes {
  let text = '';
  for (let index = 0; index < json.length; index += 1) {
    const code = json.charCodeAt(index);
    text += code > 0x7e ? `\\u${code.toString(16).padStart(4, '0')}` : json.charAt(index);
  }
  return text;
}
