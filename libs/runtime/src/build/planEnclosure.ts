import type { Host } from '../host.js';
import { SHELLS } from '../launch/payload.js';
import { NO_FLAGS, PLAIN } from '../launch/layout.js';
import { firstSessionPlace } from '../launch/wantedPaths.js';
import type { AbsolutePath, Bytes, LaunchPlan, Source, Step } from '../plan.js';
import { refusal } from '../refusal.js';
import { buildIds, ENCLOSED } from './buildIds.js';

export interface EnclosureOptions {
  /** An absolute path and its arguments. */
  readonly command: readonly [AbsolutePath, ...Bytes[]];
  /** `NAME=value`, the whole environment of the command. */
  readonly environment: readonly Bytes[];
  readonly workingDirectory: AbsolutePath;
  /** Directories of the host that the command must not see (the state of the services, for example). Empty ones lie over them. */
  readonly hidden: readonly AbsolutePath[];
  /**
   * Directories that the command must see whatever lies above them (a work folder in a hidden directory, an installation below a private home): each
   * at `exposedPath(host, name)`.
   */
  readonly exposed: readonly Exposure[];
}

export interface Exposure {
  /** Letters, digits and `-`. */
  readonly name: Bytes;
  readonly source: AbsolutePath;
  readonly readOnly: boolean;
}

/** Directories of the host in whose place exposed ones can be shown: none of them holds what a build needs. */
const EXPOSURE_PLACES = ['/media', '/srv', '/opt', '/sys'];

/**
 * Where the command of an enclosure finds an exposed directory.
 * @throws DomainError (status 255) when the host has none of the places
 */
export function exposedPath(host: Host, name: Bytes): AbsolutePath {
  return `${exposurePlace(host)}/${name}`;
}

function exposurePlace(host: Host): AbsolutePath {
  const place = EXPOSURE_PLACES.find((path) => {
    const status = host.linkStatus(path);
    return !('error' in status) && status.type === 'directory';
  });
  if (place === undefined)
    throw refusal(`expected one of the directories ${EXPOSURE_PLACES.join(', ')} on the host, got none`);
  return place;
}

/**
 * The plan that encloses a build program: the host's file system as it is, but with the ids of `buildIds` (never root of the host), in user, mount
 * and PID namespaces of its own that end with the process that started it. Inside, the program is root of its namespace: it owns the files of the image, and
 * starts the scripts of the definition with `planCommands`.
 * @throws DomainError (status 255) when the host has no place for the session, or the caller is enclosed already
 */
export function planEnclosure(host: Host, options: EnclosureOptions): LaunchPlan {
  const { userNamespace } = buildIds(host);
  if (userNamespace === null) throw refusal('this process already runs in an enclosure for builds');
  const [file] = options.command;
  const hide = (path: AbsolutePath): Step => ({
    kind: 'bind',
    source: { kind: 'session', path: 'hidden' },
    target: { kind: 'container', path },
    recursive: false,
    flags: { ...PLAIN, readOnly: true },
    onFailure: 'fatal',
    unless: [],
  });
  return {
    format: 1,
    messages: { level: 1, colour: false },
    namespaces: {
      user: userNamespace,
      propagation: 'private',
      pid: { shim: true },
      ipc: true,
      uts: null,
      net: 'host',
    },
    session: { mountPoint: firstSessionPlace(host), fileSystem: 'tmpfs', sizeLimit: null },
    steps: [
      { kind: 'make_directory', path: 'root', mode: 0o755 },
      { kind: 'make_directory', path: 'hidden', mode: 0o555 },
      {
        kind: 'bind',
        source: { kind: 'host', path: '/' },
        target: { kind: 'session', path: 'root' },
        recursive: true,
        flags: NO_FLAGS,
        onFailure: 'fatal',
        unless: [],
      },
      ...options.hidden.map(hide),
      ...exposeSteps(host, options.exposed),
      {
        kind: 'mount_file_system',
        fileSystem: 'proc',
        target: { kind: 'container', path: '/proc' },
        flags: { ...NO_FLAGS, nosuid: true, nodev: true, noexec: true },
        mode: 0,
        sizeLimit: null,
        ttyGroup: null,
        onFailure: 'fatal',
      },
    ],
    root: 'root',
    credentials: { identity: null, capabilities: 'all', noNewPrivileges: true },
    run: {
      kind: 'become',
      payload: {
        exec: {
          file,
          argv: options.command,
          env: [...options.environment.filter((one) => one !== ENCLOSED), ENCLOSED],
          searchPath: [],
          shells: SHELLS,
        },
        script: null,
        scriptWhen: { kind: 'always' },
      },
      workingDirectory: [{ path: options.workingDirectory, onFailure: 'fatal' }],
      umask: 0o022,
    },
    inheritDescriptors: false,
    dieWithParent: true,
  };
}

function exposeSteps(host: Host, exposed: readonly Exposure[]): Step[] {
  if (exposed.length === 0) return [];
  const bindTo = (source: Source, path: AbsolutePath, readOnly: boolean): Step => ({
    kind: 'bind',
    source,
    target: { kind: 'container', path },
    recursive: source.kind === 'host',
    flags: { ...PLAIN, readOnly },
    onFailure: 'fatal',
    unless: [],
  });
  return [
    { kind: 'make_directory', path: 'exposed', mode: 0o755 },
    ...exposed.map(({ name }): Step => ({ kind: 'make_directory', path: `exposed/${name}`, mode: 0o755 })),
    bindTo({ kind: 'session', path: 'exposed' }, exposurePlace(host), false),
    ...exposed.map(({ name, source, readOnly }) =>
      bindTo({ kind: 'host', path: source }, exposedPath(host, name), readOnly),
    ),
  ];
}
