import type { Asked, Prompts } from './questions.js';

/**
 * Questions on a terminal, asked on standard error so that standard output stays for results. Without a terminal a line of
 * standard input answers those with `fromPipe`; every other one, and one for which there is no line, fails as in {@link noPrompts}.
 * @param streams opens the streams; called with the first question
 * @param signal ends the wait for a line
 */
export function promptsOn(streams: () => Asked, signal: AbortSignal): Prompts {
  // Most commands ask nothing.
  let asking: Promise<Prompts> | undefined;
  const ask = (): Promise<Prompts> =>
    (asking ??= import('./asking.js').then(({ askingOn }) => askingOn(streams, signal)));
  return {
    text: async (question) => (await ask()).text(question),
    password: async (question) => (await ask()).password(question),
    confirm: async (question) => (await ask()).confirm(question),
    select: async (question) => (await ask()).select(question),
  };
}
