import type { Host } from '../host.js';
import { addMinimalDevices } from '../launch/devices.js';
import { PLAIN, SESSION } from '../launch/layout.js';
import { MountList } from '../launch/mountList.js';
import { SHELLS } from '../launch/payload.js';
import { DEVICES, firstSessionPlace } from '../launch/wantedPaths.js';
import type { AbsolutePath, Bytes, Command, LaunchPlan } from '../plan.js';
import { refusal } from '../refusal.js';
import { buildIds } from './buildIds.js';

export interface BuildCommand {
  /** What it is, for reports: `%post`. */
  readonly name: Bytes;
  /** The program (searched in `PATH` of the environment when it has no `/`) and its arguments. */
  readonly command: readonly [Bytes, ...Bytes[]];
  readonly environment: readonly Bytes[];
  readonly workingDirectory: AbsolutePath;
  /** Also when one before has failed. */
  readonly always: boolean;
}

export interface CommandsOptions {
  /** Host directory that becomes `/`. */
  readonly root: AbsolutePath;
  readonly writable: boolean;
  /** What else the commands see; the destinations exist in the root. */
  readonly binds: readonly {
    readonly source: AbsolutePath;
    readonly destination: AbsolutePath;
    readonly readOnly: boolean;
  }[];
  /** Host directory for /tmp and /var/tmp; null: memory. */
  readonly temporary: AbsolutePath | null;
  readonly network: 'host' | 'none';
  readonly commands: readonly BuildCommand[];
}

/**
 * Commands one after the other inside a root directory, in mount and PID namespaces of their own (and a user namespace, unless the caller is enclosed):
 * they see that directory, a minimal /dev, a /proc of their own, an empty /tmp, the given binds, and nothing else of the host. The first that fails ends
 * the sequence; when it ends, nothing of it is left. They run as root of the namespace with no_new_privs, never as root of the host.
 * @throws DomainError (status 255) when the host has no place for the session
 */
export function planCommands(host: Host, options: CommandsOptions): LaunchPlan {
  if (options.commands.length === 0) throw refusal('expected at least one command to run');
  const ids = buildIds(host);
  const list = new MountList();
  const devices = DEVICES.filter((path) => {
    const status = host.status(path);
    return !('error' in status) && status.type === 'character';
  });
  addMinimalDevices(list, { devices, devpts: true, messageQueues: true, console: null, ttyGroup: null });
  list.fileSystem('proc', '/proc', false);
  addTemporary(list, options);
  for (const bind of options.binds)
    list.bind({
      source: { kind: 'host', path: bind.source },
      to: bind.destination,
      prepare: null,
      flags: { ...PLAIN, readOnly: bind.readOnly },
      onFailure: 'fatal',
    });
  return {
    format: 1,
    messages: { level: 1, colour: false },
    namespaces: {
      user: ids.userNamespace,
      propagation: 'private',
      pid: { shim: true },
      ipc: true,
      uts: null,
      net: options.network === 'none' ? 'loopback' : 'host',
    },
    session: { mountPoint: firstSessionPlace(host), fileSystem: 'tmpfs', sizeLimit: null },
    steps: [
      { kind: 'make_directory', path: SESSION.rootfs, mode: 0o755 },
      ...list.session,
      {
        kind: 'bind',
        source: { kind: 'host', path: options.root },
        target: { kind: 'session', path: SESSION.rootfs },
        recursive: false,
        flags: { ...PLAIN, readOnly: !options.writable },
        onFailure: 'fatal',
        unless: [],
      },
      ...list.mounts,
    ],
    root: SESSION.rootfs,
    credentials: { identity: null, capabilities: 'all', noNewPrivileges: true },
    run: { kind: 'sequence', commands: options.commands.map(command), umask: 0o002 },
    inheritDescriptors: false,
    dieWithParent: true,
  };
}

function addTemporary(list: MountList, options: CommandsOptions): void {
  const unless = [{ kind: 'resolves_to', path: '/tmp' }] as const;
  if (options.temporary === null) {
    list.directory(SESSION.tmp, 0o1777);
    list.directory(SESSION.varTmp, 0o1777);
  }
  const bind = (session: string, to: AbsolutePath): void =>
    list.bind({
      source:
        options.temporary === null
          ? { kind: 'session', path: session }
          : { kind: 'host', path: options.temporary },
      to,
      prepare: null,
      recursive: false,
      onFailure: 'verbose',
      unless: to === '/tmp' ? [] : unless,
    });
  bind(SESSION.tmp, '/tmp');
  bind(SESSION.varTmp, '/var/tmp');
}

function command(wanted: BuildCommand): Command {
  const path = wanted.environment.find((one) => one.startsWith('PATH='))?.slice('PATH='.length) ?? '';
  return {
    name: wanted.name,
    view: 'container',
    exec: {
      file: wanted.command[0],
      argv: wanted.command,
      env: wanted.environment,
      searchPath: path.split(':'),
      shells: SHELLS,
    },
    workingDirectory: wanted.workingDirectory,
    stdin: 'null',
    always: wanted.always,
  };
}
