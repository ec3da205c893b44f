import type { Answer } from '../answer.js';
import { answerCommandLine } from '../commandLine.js';
import type { Host } from '../host.js';
import type { Bytes } from '../plan.js';

declare global {
  /** The native core's functions (host.ts), put there by the program before the bundle runs. */
  var host: Host;
  /** Answers the words of a command line (answer.ts). */
  var plan: (words: readonly Bytes[]) => Answer;
}

globalThis.plan = (words) => answerCommandLine(words, globalThis.host);
