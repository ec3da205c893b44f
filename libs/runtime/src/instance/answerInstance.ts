import type { Answer } from '../answer.js';
import { answerLaunch } from '../answerLaunch.js';
import { TO_NODE } from '../answers.js';
import { parseCount } from '../bytes.js';
import { withEnvironment } from '../options/environmentFlags.js';
import type { FlagValues } from '../options/flag.js';
import { isHostName } from '../options/hostNames.js';
import { imageKind } from '../options/imageReference.js';
import type { InstanceOptions, LaunchOptions } from '../options/launchOptions.js';
import { parseWords } from '../options/parseWords.js';
import type { Bytes } from '../plan.js';
import { refusal, usageError } from '../refusal.js';
import type { VerbWords } from '../verbWords.js';
import { INSTANCE_FLAGS } from './instanceFlags.js';
import type { InstanceVerb } from './instanceFlags.js';
import { isInstanceName } from './name.js';
import { instancePlace, placeOf } from './place.js';
import type { InstanceRequest } from './request.js';
import { signalNumber } from './signals.js';

/** Seconds. */
const PATIENCE = 10;
const LONGEST_PATIENCE = 1e9;
const SIGINT = 2;
const SIGKILL = 9;

/**
 * Answers the commands about instances (runtime contract §1.6, §2.15).
 * @throws DomainError for what a person did wrong
 */
export function answerInstance(call: VerbWords): Answer {
  const [word = '', ...rest] = call.words;
  if (!isInstanceVerb(word)) return TO_NODE;
  const parsed = parseWords(INSTANCE_FLAGS[word], rest, `instance ${word}`);
  if (parsed.help) return TO_NODE;
  if (word === 'start' || word === 'run') return start(call, word, parsed.values, parsed.rest);
  const request = readRequest(call, word, parsed.values, parsed.rest);
  return { kind: 'instances', ...call.messages, request };
}

function isInstanceVerb(word: Bytes): word is InstanceVerb {
  return Object.hasOwn(INSTANCE_FLAGS, word);
}

function start(
  call: VerbWords,
  verb: 'start' | 'run',
  given: FlagValues,
  [image, name, ...words]: readonly Bytes[],
): Answer {
  if (image === undefined || name === undefined)
    throw usageError(`instance ${verb}`, 'expected an image and a name');
  const kind = imageKind(image);
  if (kind === 'instance') throw refusal('starting an instance from another is not allowed');
  if (!isInstanceName(name))
    throw refusal(
      `invalid instance name "${name}"`,
      'a name has up to 128 letters, digits, ".", "_" and "-", and is not "." or ".."',
    );
  if (kind === 'fetched') return TO_NODE;
  const { host, messages, configuration, environment } = call;
  const values = withEnvironment(INSTANCE_FLAGS[verb], given, environment);
  const instance: InstanceOptions = {
    name,
    boot: values.get('boot')?.on === true,
    pidFile: values.get('pid-file')?.texts.at(-1) ?? null,
  };
  return answerLaunch({ verb, image, words, values, messages, configuration, environment }, host, (options) =>
    inBackground(options, instance),
  );
}

/** What an instance is beyond its flags: a PID namespace with a shim, and for an init the rest of a machine. */
function inBackground(options: LaunchOptions, instance: InstanceOptions): LaunchOptions {
  const own: LaunchOptions = { ...options, instance, pid: true, shim: true };
  if (!instance.boot) return own;
  const hostname = options.hostname ?? instance.name;
  if (!isHostName(hostname))
    throw refusal(
      `invalid hostname "${hostname}"`,
      'with --boot the name of the instance is that of its host',
    );
  return { ...own, contain: true, uts: true, hostname, net: 'none' };
}

function readRequest(
  call: VerbWords,
  action: 'list' | 'stop' | 'stats',
  values: FlagValues,
  words: readonly Bytes[],
): InstanceRequest {
  const command = `instance ${action}`;
  const on = (name: string): boolean => values.get(name)?.on === true;
  const text = (name: string): Bytes | null => values.get(name)?.texts.at(-1) ?? null;
  const [glob = ''] = words;
  if (words.length > 1) throw usageError(command, `expected one name, got ${words.length}`);
  if (action === 'stop' && on('all') === (words.length === 1))
    throw usageError(command, 'expected a name or --all');
  if (action === 'stats' && !isInstanceName(glob))
    throw usageError(command, 'expected the name of an instance');
  return {
    action,
    ...whose(call, action, text('user')),
    glob,
    json: on('json'),
    logs: on('logs'),
    once: on('no-stream'),
    signal: on('force') ? SIGKILL : readSignal(command, text('signal')),
    seconds: readSeconds(command, text('timeout')),
  };
}

function whose(
  { host, environment }: VerbWords,
  action: string,
  name: Bytes | null,
): Pick<InstanceRequest, 'place' | 'owner'> {
  const identity = host.identity();
  if (name !== null) {
    if (identity.effectiveUid !== 0) throw refusal(`Only root user can ${action} user's instances`);
    const account = host.accountNamed(name);
    if ('error' in account) throw refusal(`no user is called ${name}`);
    return { place: placeOf(account, identity), owner: account.uid };
  }
  const directory = host.workingDirectory();
  const found = host.account(identity.uid);
  const place = instancePlace({
    identity,
    account: 'error' in found ? null : found,
    environment,
    workingDirectory: typeof directory === 'string' ? directory : null,
  });
  return { place, owner: identity.effectiveUid };
}

function readSignal(command: string, word: Bytes | null): number {
  const number = word === null ? SIGINT : signalNumber(word);
  if (number === null) throw usageError(command, `"${word}" is no signal`);
  return number;
}

function readSeconds(command: string, word: Bytes | null): number {
  const seconds = word === null ? PATIENCE : parseCount(word);
  if (seconds === null || seconds > LONGEST_PATIENCE)
    throw usageError(command, `expected whole seconds for --timeout, got "${word}"`);
  return seconds;
}
