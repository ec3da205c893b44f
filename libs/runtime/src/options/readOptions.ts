import type { Message } from '../answer.js';
import { trimBytes } from '../bytes.js';
import { absolutePath } from '../paths.js';
import type { AbsolutePath, Bytes, MessageSettings } from '../plan.js';
import { notOffered, refusal } from '../refusal.js';
import { MOST_BINDS, parseBinds, parseMounts } from './bindSpec.js';
import type { BindRequest } from './bindSpec.js';
import type { Environment } from './environmentFlags.js';
import type { FlagValue, FlagValues, LaunchVerb } from './flag.js';
import { isHostName, isNameServer } from './hostNames.js';
import type { LaunchOptions } from './launchOptions.js';
import { parseOverlays } from './overlaySpec.js';
import { parseVariables } from './variables.js';

export interface CommandWords {
  readonly verb: LaunchVerb;
  readonly image: Bytes;
  readonly words: readonly Bytes[];
  readonly values: FlagValues;
  readonly messages: MessageSettings;
  readonly configuration: Bytes | null;
  /** Of the host. */
  readonly environment: Environment;
}

/**
 * Turns flags into launch options and settles their combinations (runtime contract §1.4); what is only told goes to `messages`.
 * @throws DomainError status 255 for values that do not fit or are not offered, status 1 for a malformed --env
 */
export function readOptions(command: CommandWords, messages: Message[]): LaunchOptions {
  const { verb, values } = command;
  for (const value of values.values()) {
    const { summary, granted, remedy } = value.flag;
    if (summary === undefined && granted === undefined && isAsked(value))
      throw notOffered(shownAs(value), remedy);
  }
  const on = (name: string): boolean => values.get(name)?.on === true;
  const texts = (name: string): readonly Bytes[] => values.get(name)?.texts ?? [];
  // As from the environment, an empty value is none: `--cwd "$DIRECTORY"`.
  const text = (name: string): Bytes | null => texts(name).at(-1) || null;
  const words = (name: string): readonly Bytes[] =>
    texts(name).flatMap((one) =>
      one
        .split(',')
        .map(trimBytes)
        .filter((word) => word !== ''),
    );

  const compat = on('compat');
  const containAll = on('containall') || compat;
  const hostname = text('hostname');
  if (hostname !== null && !isHostName(hostname)) throw refusal(`invalid hostname "${hostname}"`);
  return {
    verb,
    image: command.image,
    words: command.words,
    binds: readBinds(texts('bind'), texts('mount')),
    overlays: parseOverlays(texts('overlay')),
    home: readHome(texts('home').at(-1) ?? null),
    mountHome: !on('no-home'),
    scratch: words('scratch').map((path) => absolute('scratch directory', path)),
    workdir: text('workdir'),
    noMount: words('no-mount'),
    contain: on('contain') || containAll,
    cleanEnvironment: on('cleanenv') || containAll,
    pid: (on('pid') || containAll) && !on('no-pid'),
    shim: !on('no-init') && !compat,
    ipc: on('ipc') || containAll,
    uts: on('uts') || hostname !== null,
    hostname,
    userNamespace: on('userns'),
    net: readNetwork(on('net'), words('network'), on('fakeroot'), messages),
    nameServers: readNameServers(words('dns')),
    fakeroot: on('fakeroot'),
    writable: readWritable(on('writable'), on('writable-tmpfs') || compat, messages),
    underlay: on('underlay'),
    privileges: readPrivileges(on('keep-privs'), on('no-privs')),
    workingDirectory: readDirectory(text('cwd')),
    variables: texts('env').flatMap((one) => parseVariables(one, verb)),
    variableFiles: words('env-file'),
    evaluate: !on('no-eval') && !compat,
    ownUmask: !on('no-umask') && !compat,
    app: readApp(text('app')),
    shell: text('shell'),
    useCache: !on('disable-cache'),
    messages: command.messages,
    configuration: command.configuration,
    instance: null,
  };
}

/** A switch that is on, or a flag with a value that says something. */
function isAsked({ flag, on, texts }: FlagValue): boolean {
  return on && (flag.takes === 'nothing' || texts.some((text) => text !== ''));
}

/** `--nv`, `-o (--overlay)`, `SINGULARITY_NV (--nv)`. */
function shownAs({ givenBy, flag }: FlagValue): string {
  return givenBy === `--${flag.name}` ? givenBy : `${givenBy} (--${flag.name})`;
}

function readBinds(binds: readonly Bytes[], mounts: readonly Bytes[]): readonly BindRequest[] {
  const requests = [...binds.flatMap(parseBinds), ...mounts.flatMap(parseMounts)];
  if (requests.length > MOST_BINDS)
    throw refusal(`expected at most ${MOST_BINDS} binds, got ${requests.length}`);
  return requests;
}

function readHome(text: Bytes | null): LaunchOptions['home'] {
  if (text === null) return null;
  const fields = text.split(':');
  const [source = '', destination] = fields;
  if (fields.length > 2 || source === '') throw refusal(`expected SRC[:DST] for --home, got "${text}"`);
  return {
    source,
    destination: destination === undefined ? null : absolute('home destination', destination),
  };
}

function absolute(what: string, path: Bytes): AbsolutePath {
  if (!path.startsWith('/')) throw refusal(`${what} must be an absolute path, got "${path}"`);
  return absolutePath(null, path);
}

/** Not cleaned: `/link/..` is somewhere else than `/`. */
function readDirectory(path: Bytes | null): AbsolutePath | null {
  if (path !== null && !path.startsWith('/'))
    throw refusal(`working directory must be an absolute path, got "${path}"`);
  return path;
}

/** A network is never left out in silence: one that is named without --net is taken as asked for. */
function readNetwork(
  net: boolean,
  networks: readonly Bytes[],
  fakeroot: boolean,
  messages: Message[],
): 'host' | 'none' {
  if (!net && networks.length === 0) return 'host';
  if (networks.length === 1 && networks[0] === 'none') return 'none';
  if (fakeroot && networks.every((network) => network === 'fakeroot')) {
    messages.push({
      level: 'WARNING',
      text: 'The network fakeroot needs an installation with privilege: the container gets network none, loopback only',
    });
    return 'none';
  }
  throw refusal(
    `network ${networks.join(',') || 'bridge'} is not offered by this version`,
    'use --network none for a network namespace with loopback only',
  );
}

function readNameServers(servers: readonly Bytes[]): readonly Bytes[] {
  for (const server of servers)
    if (!isNameServer(server)) throw refusal(`dns ip ${server} is not a valid IP address`);
  return servers;
}

function readWritable(image: boolean, tmpfs: boolean, messages: Message[]): LaunchOptions['writable'] {
  if (image && tmpfs)
    messages.push({
      level: 'WARNING',
      text: 'Disabling --writable-tmpfs flag, mutually exclusive with --writable',
    });
  if (image) return 'image';
  return tmpfs ? 'tmpfs' : 'no';
}

function readPrivileges(keep: boolean, none: boolean): LaunchOptions['privileges'] {
  if (keep && none) throw refusal('--keep-privs and --no-privs exclude each other');
  if (keep) return 'keep';
  return none ? 'none' : 'default';
}

/** An app's name becomes a part of paths. */
function readApp(app: Bytes | null): Bytes | null {
  if (app !== null && (app === '' || app === '.' || app === '..' || app.includes('/')))
    throw refusal(`expected a name without "/" for --app, got "${app}"`);
  return app;
}
