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

/**
 * Questions on a terminal, asked on standard error so that standard output stays for results. Without a terminal every
 * question fails as in {@link noPrompts}.
 * @param streams opens the streams; called with the first question
 */
export function promptsOn(
  streams: () => { readonly input: NodeJS.ReadStream; readonly output: NodeJS.WriteStream },
): Prompts {
  const answer = async <T extends string | boolean>(
    { message, flag }: { message: string; flag: string },
    ask: (clack: typeof import('@clack/prompts'), common: Common) => Promise<T | symbol>,
  ): Promise<T> => {
    const { input, output } = streams();
    if (!input.isTTY || !output.isTTY) throw unanswered(message, flag);
    // A terminal that does not say how wide it is (serial lines, some containers) would get one letter a line.
    if (!output.columns) Object.defineProperty(output, 'columns', { value: 80, writable: true });
    const given = await ask(await import('@clack/prompts'), { message, input, output });
    if (typeof given === 'symbol') throw new Interrupted('SIGINT');
    return given;
  };
  return {
    text: (question) =>
      answer<string>(question, (clack, common) =>
        clack.text({
          ...common,
          ...(question.initial === undefined ? {} : { initialValue: question.initial }),
        }),
      ),
    password: (question) => answer<string>(question, (clack, common) => clack.password(common)),
    confirm: (question) =>
      answer<boolean>(question, (clack, common) => clack.confirm({ ...common, initialValue: false })),
    select: (question) =>
      answer<string>(question, (clack, common) =>
        clack.select<string>({ ...common, options: [...question.options] }),
      ),
  };
}

interface Common {
  readonly message: string;
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}
