import { DomainError, fileError, messageOf } from '#libs/core';
import type { AnyContext, Command, Program } from './command.js';
import { Environment } from './environment.js';
import { Interrupted, UsageError } from './failures.js';
import type { AnyFlagValue } from './flags.js';
import { commandHelp, groupHelp, programHelp, usageLine } from './help.js';
import { LEVELS, Messages } from './messages.js';
import { Output, type Sink } from './output.js';
import { completeFlags, parseBoolean, parseFlags } from './parse.js';
import { noProgress, type ProgressMaker } from './progress.js';
import { noPrompts, type Prompts } from './questions.js';
import { find, globalFlags } from './tree.js';

/** The world around one run of a program. Tests pass collectors, `runProgram` passes the process. */
export interface MainOptions {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: Sink;
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly uid?: number;
  readonly pid?: number;
  readonly prompts?: Prompts;
  readonly progress?: ProgressMaker;
}

/** Found while reading the words; says how a failure is told. */
interface Telling {
  log: Messages;
  debug: boolean;
  json: boolean;
  status: number;
}

/**
 * Runs one command line and returns its exit status (runtime contract §1.2): 0, what the command returned, 1 for a usage
 * error, the error's or the command's own failure status, 255 otherwise. Never throws.
 * @param argv words after the program's name
 */
export async function main(program: Program, argv: readonly string[], options: MainOptions): Promise<number> {
  const telling: Telling = {
    log: messages(options, LEVELS.INFO, true),
    debug: false,
    json: false,
    status: program.failureStatus ?? 255,
  };
  try {
    return await dispatch(program, argv, options, telling);
  } catch (error) {
    return tell(
      program,
      options.signal.aborted ? (interruption(options.signal) ?? error) : error,
      options,
      telling,
    );
  }
}

async function dispatch(
  program: Program,
  argv: readonly string[],
  options: MainOptions,
  telling: Telling,
): Promise<number> {
  const env = new Environment(options.env, program.prefixes);
  const flags = globalFlags(program);
  const before = parseFlags(flags, argv, '');
  const globals = completeFlags(flags, before.values, env);
  telling.debug = globals['debug'] === true;
  telling.log = messages(options, level(globals, env), globals['nocolor'] !== true);
  const out = new Output(() => options.stdout);
  if (before.help) return helpFor(program, before.rest, out);
  if (globals['version'] === true) return line(out, `${program.name} version ${program.version}`);
  if (before.rest.length === 0) {
    options.stderr.write(programHelp(program));
    return 1;
  }
  if (before.rest[0] === 'help') return helpFor(program, before.rest.slice(1), out);

  const { node, path, rest } = find(program, before.rest);
  if (node === undefined || node.kind === 'group') {
    return withoutVerb(program, { node, path, rest }, out, options);
  }
  const words = path.join(' ');
  telling.status = node.failureStatus ?? telling.status;
  // A program that asked for JSON gets JSON also when another flag is wrong.
  telling.json = 'json' in node.flags && rest.some((word) => word === '--json' || word === '-j');
  const parsed = parseFlags(node.flags, rest, words, node.flagsAnywhere === true ? 'anywhere' : 'in front');
  if (parsed.help) {
    out.text(commandHelp(program, node, path));
    return 0;
  }
  telling.json = parsed.values['json'] === true;
  const context: AnyContext = {
    out,
    log: telling.log,
    env,
    prompts: options.prompts ?? noPrompts,
    progress: telling.log.shows('INFO') ? (options.progress ?? noProgress) : noProgress,
    // Opening a stream takes time: it is opened by whoever uses it.
    get stdin() {
      return options.stdin;
    },
    signal: options.signal,
    cwd: options.cwd,
    program,
    globals,
    flags: completeFlags(node.flags, parsed.values, env),
    args: positionals(program, node, path, parsed.rest),
    argv: rest,
  };
  const status = await node.run(context);
  options.signal.throwIfAborted();
  return status ?? 0;
}

function withoutVerb(
  program: Program,
  { node, path, rest }: ReturnType<typeof find>,
  out: Output,
  options: MainOptions,
): number {
  const words = path.join(' ');
  if (node === undefined) {
    const instead = Object.entries(program.notYet ?? {}).find(([name]) => name === rest[0])?.[1];
    if (instead !== undefined) {
      throw new UsageError('', `${program.name} does not offer the command "${rest[0] ?? ''}" yet`, {
        remedy: instead,
      });
    }
    throw new UsageError('', `unknown command "${rest[0] ?? ''}" for "${program.name}"`, {
      remedy: `Run '${program.name} help' for the list of commands`,
    });
  }
  const { help, rest: left } = parseFlags({}, rest, words);
  if (help) return helpFor(program, path, out);
  if (left.length > 0) {
    throw new UsageError(words, `unknown command "${left[0] ?? ''}" for "${program.name} ${words}"`, {
      remedy: `Run '${program.name} help ${words}' for the list of commands`,
    });
  }
  if (node.kind === 'group') options.stderr.write(groupHelp(program, node, path));
  return 1;
}

/** "`help`, `--help`, `help <command>` → stdout, exit 0 … `help bogus` → `Unknown help topic` + command list, exit 0" (§1.1). */
function helpFor(program: Program, words: readonly string[], out: Output): number {
  const { node, path, rest } = find(program, words);
  if (node?.kind === 'command') out.text(commandHelp(program, node, path));
  else if (rest.length > 0 && rest[0]?.startsWith('-') !== true) {
    out.line(`Unknown help topic: ${words.join(' ')}\n`);
    out.text(programHelp(program));
  } else if (node === undefined) out.text(programHelp(program));
  else out.text(groupHelp(program, node, path));
  return 0;
}

function positionals(
  program: Program,
  command: Command,
  path: readonly string[],
  words: readonly string[],
): Record<string, string | readonly string[] | undefined> {
  const args: Record<string, string | readonly string[] | undefined> = {};
  // Words that are left for optional arguments, which may also stand in front of required ones: `pull [file] <image>`.
  let spare = words.length - command.positionals.filter(({ optional }) => optional !== true).length;
  let used = 0;
  for (const { name, optional, rest } of command.positionals) {
    if (rest === true) {
      args[name] = words.slice(used);
      if (used >= words.length && optional !== true) throw count(program, command, path, words, name);
      used = words.length;
    } else if (optional === true && spare <= 0) {
      args[name] = undefined;
    } else {
      if (optional === true) spare -= 1;
      if (words[used] === undefined) throw count(program, command, path, words, name);
      args[name] = words[used];
      used += 1;
    }
  }
  if (words.length > used) throw count(program, command, path, words, undefined);
  return args;
}

function count(
  program: Program,
  command: Command,
  path: readonly string[],
  words: readonly string[],
  missing: string | undefined,
): UsageError {
  const what =
    missing === undefined
      ? `too many arguments: ${words.slice(command.positionals.length).join(' ')}`
      : `missing argument: ${missing}`;
  const flagLike = missing === undefined && words.some((word) => word.startsWith('-'));
  return new UsageError(path.join(' '), what, {
    remedy: `Usage: ${usageLine(program, command, path)}${flagLike ? ' (flags stand before the arguments)' : ''}`,
  });
}

function level(globals: Readonly<Record<string, AnyFlagValue>>, env: Environment): number {
  if (globals['debug'] === true) return LEVELS.DEBUG;
  if (globals['verbose'] === true) return 4;
  if (globals['silent'] === true) return -3;
  if (globals['quiet'] === true) return -1;
  const inherited = env.setting('MESSAGELEVEL')?.value;
  return inherited !== undefined && /^-?[0-9]$/.test(inherited) ? Number(inherited) : LEVELS.INFO;
}

function messages(options: MainOptions, level: number, coloured: boolean): Messages {
  return new Messages({
    write: (text) => {
      options.progress?.makeRoom();
      options.stderr.write(text);
    },
    level,
    colours: () =>
      coloured && options.stderr.isTTY === true && parseBoolean(options.env['NO_COLOR'] ?? '') !== true,
    uid: options.uid ?? 0,
    pid: options.pid ?? 0,
  });
}

function tell(program: Program, thrown: unknown, options: MainOptions, telling: Telling): number {
  const error = fileError(thrown) ?? thrown;
  const { log, json, debug } = telling;
  if (debug && error instanceof Error) log.debug(error.stack ?? error.message);
  if (error instanceof Interrupted) {
    log.verbose('Interrupted');
    return error.exitCode ?? 130;
  }
  if (!(error instanceof DomainError)) {
    const remedy = debug
      ? undefined
      : `Run it again as '${program.name} --debug …' and report what it prints`;
    const message = `This is a bug in ${program.name}, sorry: ${messageOf(error)}`;
    if (json) jsonError(options, { code: 'internal', reason: 'bug', message, remedy });
    else log.fatal(message, remedy);
    return 255;
  }
  const { code, reason, message, remedy } = error;
  if (json) jsonError(options, { code, reason, message, remedy });
  else if (error instanceof UsageError) log.error(usageMessage(program, error), usageRemedy(program, error));
  else log.fatal(message, remedy);
  return error.exitCode ?? telling.status;
}

function usageMessage(program: Program, error: UsageError): string {
  return `Error for command "${error.command === '' ? program.name : error.command}": ${error.message}`;
}

function usageRemedy(program: Program, error: UsageError): string {
  return error.remedy ?? `Run '${[program.name, 'help', error.command].join(' ').trim()}' for usage`;
}

function jsonError(options: MainOptions, error: Record<string, string | undefined>): void {
  options.stderr.write(`${JSON.stringify({ error })}\n`);
}

function interruption(signal: AbortSignal): Interrupted | undefined {
  return signal.reason instanceof Interrupted ? signal.reason : undefined;
}

function line(out: Output, text: string): number {
  out.line(text);
  return 0;
}
