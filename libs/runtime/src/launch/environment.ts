import type { Message } from '../answer.js';
import { isVariableName } from '../bytes.js';
import type { Facts, VariableFile } from '../facts.js';
import { PREFIXES, startingWith } from '../options/environmentFlags.js';
import type { Environment } from '../options/environmentFlags.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type { Variable } from '../options/variables.js';
import { baseName } from '../paths.js';
import type { AbsolutePath, Bytes } from '../plan.js';
import type { Home } from './home.js';
import { userBinds } from './binds.js';

/** PATH of a container whose image says none (runtime contract §2.8). */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Where libraries of the host would be bound; always searched last. */
export const LIBRARY_FOLDER = '/.singularity.d/libs';
const PROMPT = 'Singularity> ';

/** Injected variables by prefix, the winning one first (runtime contract §5.3 T098). */
const INJECTION_PREFIXES = ['SINGENV_', 'APPTAINERENV_', 'SINGULARITYENV_'] as const;

/** Of variables that are for the program, not for the container. */
const OUR_PREFIXES = [...PREFIXES, ...INJECTION_PREFIXES] as const;

/** What stays of the host's environment with --cleanenv. */
const KEPT_WHEN_CLEAN: readonly string[] = [
  'TERM',
  'http_proxy',
  'https_proxy',
  'ftp_proxy',
  'no_proxy',
  'all_proxy',
];

/** Never taken from the host or by injection: the runtime's own, and variables that shells keep for themselves. */
const NEVER_PASSED: readonly string[] = [
  'HOME',
  'PATH',
  'LD_LIBRARY_PATH',
  'PS1',
  'PROMPT_COMMAND',
  'PWD',
  '_',
  'IFS',
  'OPTIND',
  'UID',
  'EUID',
  'GID',
  'PPID',
  'SHELLOPTS',
  'BASHOPTS',
  'BASH_VERSINFO',
];
const NEVER_INJECTED: readonly string[] = NEVER_PASSED.filter(
  (name) => !['LD_LIBRARY_PATH', 'PS1', 'PROMPT_COMMAND'].includes(name),
);

/** The parts of a container's environment, before anything of the image is known. */
export interface ContainerEnvironment {
  /** Set by the runtime, in order. */
  readonly own: readonly Variable[];
  readonly host: readonly Variable[];
  /** By --env and SINGULARITYENV_; each name once. */
  readonly injected: readonly Variable[];
  readonly path: PathChange;
  readonly files: readonly VariableFile[];
  /** Of `injected` what comes from --env, which files do not change. */
  readonly given: readonly Variable[];
}

/** What injection does to PATH. */
interface PathChange {
  readonly prepend: Bytes | null;
  readonly append: Bytes | null;
  readonly replace: Bytes | null;
}

/** What the environment depends on besides the options. */
export interface EnvironmentFacts extends Pick<
  Facts,
  'environment' | 'configuration' | 'workingDirectory' | 'variableFiles'
> {
  /** The image as it was named: where that is a link, a script of the image may do what its name says. */
  readonly imagePath: AbsolutePath;
}

/** Steps 1–3 of runtime contract §2.8. */
export function containerEnvironment(
  options: LaunchOptions,
  facts: EnvironmentFacts,
  home: Pick<Home, 'destination'>,
  messages: Message[],
): ContainerEnvironment {
  const injected = injectedVariables(options, facts.environment, messages);
  const path: PathChange = {
    prepend: injected.get('PREPEND_PATH') ?? null,
    append: injected.get('APPEND_PATH') ?? null,
    replace: injected.get('PATH') ?? null,
  };
  for (const name of ['PREPEND_PATH', 'APPEND_PATH', 'PATH']) injected.delete(name);
  return {
    own: ownVariables(options, facts, home),
    host: hostVariables(options, facts.environment),
    injected: [...injected].map(([name, value]) => ({ name, value })),
    path,
    files: facts.variableFiles,
    given: [...injected]
      .filter(([name]) => options.variables.some((variable) => variable.name === name))
      .map(([name, value]) => ({ name, value })),
  };
}

function injectedVariables(
  options: LaunchOptions,
  environment: Environment,
  messages: Message[],
): Map<Bytes, Bytes> {
  const injected = new Map<Bytes, Bytes>();
  const put = (name: Bytes, value: Bytes, from: Bytes): void => {
    if (name === 'HOME')
      messages.push({
        level: 'WARNING',
        text: `Overriding HOME environment variable with ${from} is not permitted`,
      });
    else if (isVariableName(name) && (name === 'PATH' || !NEVER_INJECTED.includes(name)))
      injected.set(name, value);
  };
  const candidates = startingWith(environment, INJECTION_PREFIXES);
  for (const prefix of INJECTION_PREFIXES.toReversed())
    for (const [name, value] of candidates)
      if (name.startsWith(prefix)) put(name.slice(prefix.length), value, name);
  for (const { name, value } of options.variables) put(name, value, '--env');
  return injected;
}

function hostVariables(options: LaunchOptions, environment: Environment): readonly Variable[] {
  const variables: Variable[] = [];
  const ours = startingWith(environment, OUR_PREFIXES);
  const kept = (name: Bytes): boolean =>
    !options.cleanEnvironment ||
    KEPT_WHEN_CLEAN.includes(name) ||
    KEPT_WHEN_CLEAN.includes(name.toLowerCase());
  environment.forEach((value, name) => {
    if (ours.has(name) || NEVER_PASSED.includes(name) || !kept(name)) return;
    if (isVariableName(name)) variables.push({ name, value });
  });
  if (options.cleanEnvironment) variables.push({ name: 'LANG', value: 'C' });
  return variables;
}

/** The names that the image's scripts and the payload see, in both spellings (runtime contract §1.3). */
function ownVariables(
  options: LaunchOptions,
  facts: EnvironmentFacts,
  home: Pick<Home, 'destination'>,
): readonly Variable[] {
  const image = facts.imagePath;
  const both: readonly (readonly [Bytes, Bytes])[] = [
    ['CONTAINER', image],
    ['NAME', baseName(image)],
    ['COMMAND', options.verb],
    ['ENVIRONMENT', '/.singularity.d/env/91-environment.sh'],
    ['BIND', bindNames(options, facts)],
    ...(options.app === null ? [] : ([['APPNAME', options.app]] as const)),
    ...(options.instance === null ? [] : ([['INSTANCE', options.instance.name]] as const)),
  ];
  return [
    { name: 'HOME', value: home.destination },
    { name: 'PATH', value: DEFAULT_PATH },
    { name: 'PS1', value: PROMPT },
    { name: 'PROMPT_COMMAND', value: `PS1="${PROMPT}"; unset PROMPT_COMMAND` },
    ...['SINGULARITY_', 'APPTAINER_'].flatMap((prefix) =>
      both.map(([key, value]) => ({ name: prefix + key, value })),
    ),
  ];
}

/** The destinations of the binds: inside the container, where a nested start may read them again, the sources mean nothing. */
function bindNames(options: LaunchOptions, facts: EnvironmentFacts): Bytes {
  if (!facts.configuration.userBindControl) return '';
  const destinations = userBinds(options, facts.workingDirectory).map((bind) => bind.destination);
  return destinations.filter((path) => !path.includes(',') && !path.includes(':')).join(',');
}

/** The whole environment when no script of the image has a say: own, then host, then injected on top. */
export function plainEnvironment(environment: ContainerEnvironment): readonly Variable[] {
  const all = new Map<Bytes, Bytes>();
  for (const part of [environment.own, environment.host, environment.injected])
    for (const { name, value } of part) all.set(name, value);
  all.set('PATH', changedPath(DEFAULT_PATH, environment.path));
  const libraries = all.get('LD_LIBRARY_PATH') ?? '';
  all.set('LD_LIBRARY_PATH', libraries === '' ? LIBRARY_FOLDER : `${libraries}:${LIBRARY_FOLDER}`);
  return [...all].map(([name, value]) => ({ name, value }));
}

function changedPath(path: Bytes, change: PathChange): Bytes {
  if (change.replace !== null) return change.replace;
  const before = change.prepend === null ? path : `${change.prepend}:${path}`;
  return change.append === null ? before : `${before}:${change.append}`;
}
