import { DomainError, expected } from '#libs/core';
import { Interrupted } from './failures.js';
import { PipedLines } from './piped-lines.js';
import { type Asked, type Prompts, type Question, unanswered } from './questions.js';

/** What `promptsOn` does, once there is something to ask. */
export function askingOn(streams: () => Asked, signal: AbortSignal): Prompts {
  let lines: PipedLines | undefined;
  const piped = async ({ message, flag, fromPipe }: Question): Promise<string> => {
    const { input, output } = streams();
    if (fromPipe !== true || isTerminal(input)) throw unanswered(message, flag);
    output.write(`${message}: `);
    const line = await (lines ??= new PipedLines(input)).next(signal);
    output.write('\n');
    if (line === undefined) throw unanswered(message, flag);
    return line;
  };
  const answer = async <T extends string | boolean>(
    question: Question,
    ask: (clack: typeof import('@clack/prompts'), common: Common) => Promise<T | symbol>,
    read: (line: string) => T,
  ): Promise<T> => {
    const { message } = question;
    const { input, output } = streams();
    if (!isTerminal(input) || !isTerminal(output)) return read(await piped(question));
    // A terminal that does not say how wide it is (serial lines, some containers) would get one letter a line.
    if (!output.columns) Object.defineProperty(output, 'columns', { value: 80, writable: true });
    const given = await ask(await import('@clack/prompts'), { message, input, output });
    if (typeof given === 'symbol') throw new Interrupted('SIGINT');
    return given;
  };
  return {
    text: (question) =>
      answer<string>(
        question,
        (clack, common) =>
          clack.text({
            ...common,
            ...(question.initial === undefined ? {} : { initialValue: question.initial }),
          }),
        (line) => (line === '' ? (question.initial ?? '') : line),
      ),
    password: (question) =>
      answer<string>(
        question,
        (clack, common) => clack.password(common),
        (line) => line,
      ),
    confirm: (question) =>
      answer<boolean>(
        question,
        (clack, common) => clack.confirm({ ...common, initialValue: false }),
        (line) => yesOrNo(line, question.message),
      ),
    select: (question) =>
      answer<string>(
        question,
        (clack, common) => clack.select<string>({ ...common, options: [...question.options] }),
        (line) => numbered(line, question),
      ),
  };
}

/** As the stock programs take it: an empty line is a no. */
function yesOrNo(line: string, message: string): boolean {
  const word = line.trim().toLowerCase();
  if (word === 'y' || word === 'yes') return true;
  if (word === '' || word === 'n' || word === 'no') return false;
  throw badAnswer('yes or no', message, line);
}

/** As the stock programs number what there is to choose from: from 0. */
function numbered(
  line: string,
  { message, options }: { readonly message: string; readonly options: readonly { value: string }[] },
): string {
  const chosen = /^\d+$/.test(line.trim()) ? options[Number(line)] : undefined;
  if (chosen !== undefined) return chosen.value;
  throw badAnswer(`a number from 0 to ${options.length - 1}`, message, line);
}

function badAnswer(what: string, message: string, line: string): DomainError {
  return new DomainError('bad_request', expected(what, `the answer to "${message}"`, line), {
    reason: 'bad_answer',
  });
}

function isTerminal<T extends object>(stream: T): stream is Extract<T, { readonly isTTY?: boolean }> {
  return 'isTTY' in stream && stream.isTTY === true;
}

interface Common {
  readonly message: string;
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}
