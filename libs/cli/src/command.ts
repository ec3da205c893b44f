import type { AnyFlagValue, Flags, FlagValues } from './flags.js';
import type { Environment } from './environment.js';
import type { Messages } from './messages.js';
import type { Output } from './output.js';
import type { ProgressMaker } from './progress.js';
import type { Prompts } from './questions.js';

export interface Positional {
  readonly name: string;
  readonly summary: string;
  readonly optional?: boolean;
  /** Takes everything that is left; only the last one may. */
  readonly rest?: boolean;
}

type PositionalValue<P extends Positional> = P extends { readonly rest: true }
  ? readonly string[]
  : P extends { readonly optional: true }
    ? string | undefined
    : string;

export type PositionalValues<P extends readonly Positional[]> = {
  readonly [E in P[number] as E['name']]: PositionalValue<E>;
};

/** What a program gives to each of its handlers: everything from outside comes through here. */
export interface Surroundings {
  /** Standard output. */
  readonly out: Output;
  /** Messages on standard error. */
  readonly log: Messages;
  readonly env: Environment;
  readonly prompts: Prompts;
  readonly progress: ProgressMaker;
  readonly stdin: NodeJS.ReadableStream;
  /** Aborted when the person presses Ctrl-C or the process is asked to end: stop, clean up, throw. */
  readonly signal: AbortSignal;
  /** Working directory, absolute. */
  readonly cwd: string;
  readonly program: Program;
  /** Values of the program's global flags. */
  readonly globals: Readonly<Record<string, AnyFlagValue>>;
}

export interface Context<F extends Flags, P extends readonly Positional[]> extends Surroundings {
  readonly flags: FlagValues<F>;
  readonly args: PositionalValues<P>;
  /** Everything after the words of the command, as it was typed. */
  readonly argv: readonly string[];
}

/** A context whose tables are not known at compile time. */
export interface AnyContext extends Surroundings {
  readonly flags: Readonly<Record<string, AnyFlagValue>>;
  readonly args: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly argv: readonly string[];
}

export interface Example {
  readonly line: string;
  readonly summary: string;
}

interface CommandTexts {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** One line for lists, lower case, without a full stop. */
  readonly summary: string;
  /** Paragraphs for the command's own help. */
  readonly description?: string;
  readonly examples?: readonly Example[];
  readonly hidden?: boolean;
}

/** What a handler may return: nothing (status 0) or an exit status. */
export type HandlerResult = void | number | Promise<void | number>;

export interface CommandSpec<F extends Flags, P extends readonly Positional[]> extends CommandTexts {
  readonly flags?: F;
  readonly positionals?: P;
  /** Exit status of failures without a status of their own; the program's when absent. */
  readonly failureStatus?: number;
  /** Flags may also stand behind the arguments: for verbs whose stock program takes them there. */
  readonly flagsAnywhere?: boolean;
  /**
   * Does the work. Import what is heavy (HTTP, OpenPGP, images) inside, so that other commands start without it.
   * @throws DomainError for what a person can understand; everything else is reported as a bug
   */
  run(context: Context<F, P>): HandlerResult;
}

/** A command as the program sees it. */
export interface Command extends CommandTexts {
  readonly kind: 'command';
  readonly flags: Flags;
  readonly positionals: readonly Positional[];
  readonly failureStatus?: number;
  readonly flagsAnywhere?: boolean;
  run(context: AnyContext): HandlerResult;
}

/** A noun: a word in front of verbs. */
export interface Group extends CommandTexts {
  readonly kind: 'group';
  readonly commands: readonly Node[];
}

export type Node = Command | Group;

export interface Program {
  readonly name: string;
  readonly version: string;
  readonly summary: string;
  readonly description?: string;
  readonly examples?: readonly Example[];
  /** Flags in front of the command, besides those that every program has. */
  readonly globals?: Flags;
  readonly commands: readonly Node[];
  /** Commands that people know from like programs and this one does not offer yet, each with what helps instead. */
  readonly notYet?: Readonly<Record<string, string>>;
  /** Prefixes of environment names without the underscore, first one wins. */
  readonly prefixes: readonly string[];
  /** Exit status of a command that failed; 255 when absent (runtime contract §1.2). */
  readonly failureStatus?: number;
}

/** A command as data: help, completion, manual and parsing all come from this one object. */
export function defineCommand<const F extends Flags = {}, const P extends readonly Positional[] = []>(
  spec: CommandSpec<F, P>,
): Command {
  return {
    ...spec,
    kind: 'command',
    flags: spec.flags ?? {},
    positionals: spec.positionals ?? [],
    // The parser fills in exactly what the two tables declare, so the wide context is the narrow one.
    run: (context) => spec.run(context as unknown as Context<F, P>),
  };
}

/** A noun with its verbs. */
export function defineGroup(group: Omit<Group, 'kind'>): Group {
  return { ...group, kind: 'group' };
}

/** A whole command line. */
export function defineProgram(program: Program): Program {
  return program;
}
