import { DomainError } from '#libs/core';
import type { Answer, Message, PrintAnswer } from './answer.js';
import { answerLaunch } from './answerLaunch.js';
import { asBytes, printed, TO_NODE } from './answers.js';
import { bytesOfMixed } from './bytes.js';
import type { Host } from './host.js';
import { answerInstance } from './instance/answerInstance.js';
import { answerJoin } from './instance/answerJoin.js';
import { ACTION_FLAGS, GLOBAL_FLAGS } from './options/actionFlags.js';
import { environmentMap, withEnvironment } from './options/environmentFlags.js';
import { VERBS } from './options/flag.js';
import type { Flag, FlagValues, Verb } from './options/flag.js';
import { imageKind } from './options/imageReference.js';
import { parseWords } from './options/parseWords.js';
import type { Bytes, MessageSettings } from './plan.js';
import { STATUS_FATAL, STATUS_USAGE, usageError } from './refusal.js';
import type { VerbWords } from './verbWords.js';

/**
 * Answers a command line of the native program (see `Answer`). Whatever a person did wrong comes back as an answer to print; only bugs are thrown.
 * @param words the arguments behind the program's own name, as byte strings
 */
export function answerCommandLine(words: readonly Bytes[], host: Host): Answer {
  const environment = environmentMap(host.environment());
  let messages: MessageSettings = { level: 1, colour: false };
  try {
    const globals = parseWords(GLOBAL_FLAGS, words, 'sing');
    if (globals.help) return TO_NODE;
    const values = withEnvironment(GLOBAL_FLAGS, globals.values, environment);
    messages = messageSettings(values, environment.get('TERM') ?? '', host);
    if (values.get('version')?.on === true)
      return printed(messages, `sing version ${host.installation().version}\n`);
    const [verb = '', ...rest] = globals.rest;
    if (verb === 'version' && rest.length === 0) return printed(messages, `${host.installation().version}\n`);
    const configuration = values.get('config')?.texts[0] ?? null;
    const call = { words: rest, configuration, messages, environment, host };
    if (verb === 'instance') return answerInstance(call);
    return isVerb(verb) ? answerVerb(verb, call) : TO_NODE;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return failed(error, messages);
  }
}

function answerVerb(verb: Verb, call: VerbWords): Answer {
  const { host, environment, messages, configuration } = call;
  const flags = FLAGS[verb];
  const parsed = parseWords(flags, call.words, verb);
  if (parsed.help) return TO_NODE;
  const [image, ...words] = parsed.rest;
  if (image === undefined) throw usageError(verb, 'expected an image');
  if (verb === 'exec' && words.length === 0) throw usageError(verb, 'expected a command behind the image');
  const kind = imageKind(image);
  if (kind === 'fetched') return TO_NODE;
  const values = withEnvironment(flags, parsed.values, environment);
  const command = { verb, image, words, values, messages, configuration, environment };
  return kind === 'instance' ? answerJoin(command, host) : answerLaunch(command, host);
}

const flagsOf = (verb: Verb): readonly Flag[] =>
  ACTION_FLAGS.filter((flag) => flag.verbs === undefined || flag.verbs.includes(verb));
const FLAGS: Readonly<Record<Verb, readonly Flag[]>> = {
  exec: flagsOf('exec'),
  run: flagsOf('run'),
  shell: flagsOf('shell'),
  test: flagsOf('test'),
};

function isVerb(word: Bytes): word is Verb {
  return VERBS.some((verb) => verb === word);
}

/** Runtime contract §1.1 and §1.2: levels −3 to 5, colours only on a terminal. */
function messageSettings(values: FlagValues, terminal: Bytes, host: Host): MessageSettings {
  const on = (name: string): boolean => values.get(name)?.on === true;
  const colour = !on('nocolor') && terminal !== 'dumb' && host.isTerminal(2);
  if (on('debug')) return { level: 5, colour };
  if (on('silent')) return { level: -3, colour };
  if (on('quiet')) return { level: -1, colour };
  return { level: on('verbose') ? 4 : 1, colour };
}

function failed(error: DomainError, settings: MessageSettings): PrintAnswer {
  const status = error.exitCode ?? STATUS_FATAL;
  const answer = { ...printed(settings, ''), status };
  if (status === STATUS_USAGE)
    return { ...answer, stderr: bytesOfMixed(`${error.message}\nRun 'sing help' for usage.\n`) };
  const remedy: readonly Message[] =
    error.remedy === undefined ? [] : [{ level: 'INFO', text: `To change that: ${error.remedy}` }];
  return { ...answer, messages: [{ level: 'FATAL' as const, text: error.message }, ...remedy].map(asBytes) };
}
