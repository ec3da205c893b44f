import { DomainError } from '#libs/core';
import { Interrupted } from './failures.js';

/** Questions to the person at the terminal. Every question has a flag that answers it, for scripts. */
export interface Prompts {
  text(question: { message: string; flag: string; initial?: string }): Promise<string>;
  password(question: { message: string; flag: string }): Promise<string>;
  confirm(question: { message: string; flag: string }): Promise<boolean>;
  select(question: {
    message: string;
    flag: string;
    options: readonly { value: string; label: string }[];
  }): Promise<string>;
}

/** Asks nobody: every question fails with the flag that would have answered it. */
export const noPrompts: Prompts = {
  text: ({ message, flag }) => Promise.reject(unanswered(message, flag)),
  password: ({ message, flag }) => Promise.reject(unanswered(message, flag)),
  confirm: ({ message, flag }) => Promise.reject(unanswered(message, flag)),
  select: ({ message, flag }) => Promise.reject(unanswered(message, flag)),
};

function unanswered(message: string, flag: string): DomainError {
  return new DomainError('bad_request', `Cannot ask "${message}": standard input is not a terminal`, {
    reason: 'not_a_terminal',
    remedy: `Answer with ${flag}`,
  });
}

/** Questions on a terminal, asked on standard error so that standard output stays for results. */
export function promptsOn(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Prompts {
  // A terminal that does not say how wide it is (serial lines, some containers) would get one letter a line.
  if (!output.columns) Object.defineProperty(output, 'columns', { value: 80, writable: true });
  const streams = { input, output };
  const answer = async <T extends string | boolean>(
    ask: (clack: typeof import('@clack/prompts')) => Promise<T | symbol>,
  ): Promise<T> => {
    const clack = await import('@clack/prompts');
    const given = await ask(clack);
    if (typeof given === 'symbol') throw new Interrupted('SIGINT');
    return given;
  };
  return {
    text: ({ message, initial }) =>
      answer<string>((clack) =>
        clack.text({ message, ...streams, ...(initial === undefined ? {} : { initialValue: initial }) }),
      ),
    password: ({ message }) => answer<string>((clack) => clack.password({ message, ...streams })),
    confirm: ({ message }) =>
      answer<boolean>((clack) => clack.confirm({ message, initialValue: false, ...streams })),
    select: ({ message, options }) =>
      answer<string>((clack) => clack.select<string>({ message, options: [...options], ...streams })),
  };
}
