import { parseCount } from '../bytes.js';
import type { Bytes } from '../plan.js';

/** By number, from 1, on every architecture that is built for. */
const NAMES: readonly string[] =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'.split(
    ' ',
  );
const LAST = 64;

/** The number of a signal by number or name, with or without SIG and in any case; null for what is none. */
export function signalNumber(word: Bytes): number | null {
  const number = parseCount(word);
  if (number !== null) return number >= 1 && number <= LAST ? number : null;
  const name = word.toUpperCase();
  const index = NAMES.indexOf(name.startsWith('SIG') ? name.slice(3) : name);
  return index < 0 ? null : index + 1;
}
