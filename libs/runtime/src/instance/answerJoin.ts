import type { Answer, Message } from '../answer.js';
import { asBytes, planText, printed } from '../answers.js';
import { grantedToRoot, groupLines, variableFiles } from '../collectFacts.js';
import { loadConfiguration } from '../configuration/load.js';
import type { Host, HostFailure, RunningInstance } from '../host.js';
import { containerEnvironment } from '../launch/environment.js';
import { launchPayload } from '../launch/payload.js';
import { credentials } from '../launch/planLaunch.js';
import { warnOfVariableFiles } from '../launch/variableFiles.js';
import type { Environment } from '../options/environmentFlags.js';
import type { FlagValues } from '../options/flag.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import { readOptions } from '../options/readOptions.js';
import type { CommandWords } from '../options/readOptions.js';
import type { AbsolutePath, Bytes, InstancePlace, WorkingDirectory } from '../plan.js';
import { refusal } from '../refusal.js';
import type { JoinPlan } from './joinPlan.js';
import { isInstanceName } from './name.js';
import { instancePlace } from './place.js';

const SCHEME = 'instance://';

/** Flags that mean something for a program in an instance that is set up already. */
const EFFECTIVE: readonly string[] = [
  'cleanenv',
  'env',
  'env-file',
  'no-eval',
  'cwd',
  'no-umask',
  'keep-privs',
  'no-privs',
  'app',
  'shell',
  'dry-run',
];

/**
 * Decides how a command is started in the instance `instance://NAME` (runtime contract §2.15).
 * @throws DomainError (status 255) when there is none of the caller that runs
 */
export function answerJoin(command: CommandWords, host: Host): Answer {
  const messages: Message[] = [];
  warnOfIneffective(command.values, messages);
  const name = command.image.slice(SCHEME.length);
  const options: LaunchOptions = {
    ...readOptions(command, messages),
    binds: [],
    instance: { name, boot: false, pidFile: null },
  };
  const plan = planJoin(name, options, { host, environment: command.environment }, messages);
  if (command.values.get('dry-run')?.on === true) return printed(command.messages, planText(plan), messages);
  return { kind: 'join', messages: messages.map(asBytes), plan };
}

function planJoin(
  name: Bytes,
  options: LaunchOptions,
  { host, environment }: { readonly host: Host; readonly environment: Environment },
  messages: Message[],
): JoinPlan {
  const directory = host.workingDirectory();
  const workingDirectory = typeof directory === 'string' ? directory : null;
  const configuration = loadConfiguration(host, options.configuration, workingDirectory);
  const identity = host.identity();
  const account = host.account(identity.uid);
  const place = instancePlace({
    identity,
    account: 'error' in account ? null : account,
    environment,
    workingDirectory,
  });
  const instance = findInstance(host, place, name);
  if (options.privileges === 'keep' && instance.mode !== 'root')
    throw refusal('Could not configure --keep-privs: requires root privileges');
  const files = variableFiles(host, options, workingDirectory);
  warnOfVariableFiles(options, files, messages);
  const inside = containerEnvironment(
    options,
    {
      environment,
      configuration,
      workingDirectory,
      imagePath: instance.image,
      variableFiles: files,
    },
    { destination: instance.home },
    messages,
  );
  const rootCapabilities = grantedToRoot(host, identity, configuration, groupLines(host, identity));
  return {
    format: 1,
    messages: options.messages,
    name,
    init: instance.init,
    keeper: instance.keeper,
    boot: instance.boot,
    enterAs: instance.severalIds ? { uid: 0, gid: 0, groups: [0] } : null,
    // Whatever the instance was started with: who comes later brings no new privileges (runtime contract §2.15).
    credentials: {
      ...credentials(options, { configuration, rootCapabilities }, { kind: instance.mode }),
      noNewPrivileges: true,
    },
    run: {
      kind: 'become',
      payload: launchPayload(options, inside),
      workingDirectory: directories(options, workingDirectory, instance.home),
      umask: options.ownUmask ? identity.umask : 0o022,
    },
  };
}

function findInstance(host: Host, place: InstancePlace, name: Bytes): RunningInstance {
  const found: RunningInstance | HostFailure = isInstanceName(name)
    ? host.instance(place.config, place.host, place.user, name)
    : { error: 'ENOENT', message: '' };
  if (!('error' in found)) return found;
  if (found.error === 'ENOENT')
    throw refusal(`no instance found with name ${name}`, 'see what runs with: sing instance list');
  throw refusal(found.message);
}

/** Runtime contract §2.6: the directory that was asked for must be there; else the caller's, the home, the root. */
function directories(
  options: LaunchOptions,
  current: AbsolutePath | null,
  home: AbsolutePath,
): readonly WorkingDirectory[] {
  if (options.workingDirectory !== null) return [{ path: options.workingDirectory, onFailure: 'fatal' }];
  const soft = [...(current === null ? [] : [current]), home];
  return [
    ...soft.map((path): WorkingDirectory => ({ path, onFailure: 'verbose' })),
    { path: '/', onFailure: 'fatal' },
  ];
}

function warnOfIneffective(values: FlagValues, messages: Message[]): void {
  for (const { flag, on, givenBy } of values.values()) {
    if (!on || flag.summary === undefined || EFFECTIVE.includes(flag.name)) continue;
    // A variable of the environment is meant for every start; a flag for this one.
    const level = givenBy.startsWith('-') ? 'WARNING' : 'VERBOSE';
    messages.push({ level, text: `${givenBy} changes nothing of an instance that runs already` });
  }
}
