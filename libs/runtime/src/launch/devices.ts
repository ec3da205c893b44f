import type { Facts } from '../facts.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import { NO_FLAGS, SESSION } from './layout.js';
import type { AbsolutePath } from '../plan.js';
import type { Mode } from './mode.js';
import type { MountList } from './mountList.js';
import { DEVICES } from './wantedPaths.js';

/** Group `tty` owns terminals; every distribution numbers it so. */
const TTY_GROUP = 5;

/** What /dev is in a launch. */
export function deviceStyle(options: LaunchOptions, facts: Facts): 'yes' | 'no' | 'minimal' {
  const configured = facts.configuration.mountDev;
  if (configured === 'no' || options.noMount.includes('dev')) return 'no';
  return options.contain ? 'minimal' : configured;
}

/** /dev of runtime contract §2.5: the host's, or a minimal one from the session. */
export function addDevices(list: MountList, options: LaunchOptions, facts: Facts, mode: Mode): void {
  const style = deviceStyle(options, facts);
  if (style === 'yes')
    list.bind({
      source: { kind: 'host', path: '/dev' },
      to: '/dev',
      prepare: 'directory',
      flags: NO_FLAGS,
      onFailure: 'warning',
    });
  if (style === 'minimal')
    addMinimalDevices(list, {
      devices: DEVICES.filter((path) => facts.paths.get(path)?.type === 'character'),
      devpts: facts.configuration.mountDevpts && !options.noMount.includes('devpts'),
      messageQueues: options.ipc,
      // An instance has no terminal.
      console: options.instance === null ? facts.terminal : null,
      // The group must exist inside: it does where ids are the host's, or a range is mapped.
      ttyGroup: mode.severalIds ? TTY_GROUP : null,
    });
}

export interface MinimalDevices {
  /** Of the host, by their paths. */
  readonly devices: readonly AbsolutePath[];
  readonly devpts: boolean;
  readonly messageQueues: boolean;
  /** A terminal of the host. Its own name is not in a new devpts, and what asks for a name (`tty`) finds this one. */
  readonly console: AbsolutePath | null;
  readonly ttyGroup: number | null;
}

/** A /dev in the session with the few devices that every program expects. */
export function addMinimalDevices(list: MountList, wanted: MinimalDevices): void {
  const at = (name: string): string => `${SESSION.dev}/${name}`;
  list.directory(SESSION.dev, 0o755);
  list.directory(at('shm'), 0o755);
  const shown = wanted.devices.map((path) => ({ path, to: path }));
  if (wanted.console !== null) shown.push({ path: wanted.console, to: '/dev/console' });
  for (const { to } of shown) list.file(at(to.slice('/dev/'.length)), '', 0o644);
  list.link(at('fd'), '/proc/self/fd');
  list.link(at('stdin'), 'fd/0');
  list.link(at('stdout'), 'fd/1');
  list.link(at('stderr'), 'fd/2');
  if (wanted.devpts) {
    list.directory(at('pts'), 0o755);
    list.link(at('ptmx'), 'pts/ptmx');
  }
  if (wanted.messageQueues) list.directory(at('mqueue'), 0o755);

  list.bind({
    source: { kind: 'session', path: SESSION.dev },
    to: '/dev',
    prepare: 'directory',
    recursive: false,
    flags: NO_FLAGS,
    onFailure: 'fatal',
  });
  list.fileSystem('tmpfs', '/dev/shm', false, { mode: 0o1777 });
  if (wanted.devpts)
    list.fileSystem('devpts', '/dev/pts', false, {
      flags: { ...NO_FLAGS, nosuid: true, noexec: true },
      ttyGroup: wanted.ttyGroup,
    });
  if (wanted.messageQueues) list.fileSystem('mqueue', '/dev/mqueue', false);
  for (const { path, to } of shown)
    list.bind({
      source: { kind: 'host', path },
      to,
      prepare: null,
      recursive: false,
      flags: NO_FLAGS,
      onFailure: 'warning',
    });
}
