import { DomainError } from '#libs/core';

/** A question, and the flag that answers it, for scripts. */
export interface Question {
  readonly message: string;
  readonly flag: string;
  /**
   * Where standard input is no terminal, its next line is the answer: for questions that the stock programs ask, too, because
   * scripts for them pipe the answer in. Other questions leave standard input alone.
   */
  readonly fromPipe?: boolean;
}

/** Questions to the person at the terminal. */
export interface Prompts {
  text(question: Question & { readonly initial?: string }): Promise<string>;
  password(question: Question): Promise<string>;
  confirm(question: Question): Promise<boolean>;
  select(
    question: Question & { readonly options: readonly { value: string; label: string }[] },
  ): Promise<string>;
}

/** Asks nobody: every question fails with the flag that would have answered it. */
export const noPrompts: Prompts = {
  text: ({ message, flag }) => Promise.reject(unanswered(message, flag)),
  password: ({ message, flag }) => Promise.reject(unanswered(message, flag)),
  confirm: ({ message, flag }) => Promise.reject(unanswered(message, flag)),
  select: ({ message, flag }) => Promise.reject(unanswered(message, flag)),
};

/** A question that nobody is there to answer. */
export function unanswered(message: string, flag: string): DomainError {
  return new DomainError('bad_request', `Cannot ask "${message}": standard input is not a terminal`, {
    reason: 'not_a_terminal',
    remedy: `Answer with ${flag}`,
  });
}

/** Where is asked, and answered. */
export interface Asked {
  readonly input: NodeJS.ReadStream | NodeJS.ReadableStream;
  readonly output: NodeJS.WriteStream | { write(text: string): unknown };
}
