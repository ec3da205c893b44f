import type { Message } from '../answer.js';
import type { Facts } from '../facts.js';
import type { FileStatus } from '../host.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import { isWithin } from '../paths.js';
import type { AbsolutePath, Source } from '../plan.js';
import { refusal } from '../refusal.js';
import { siteBinds, userBinds } from './binds.js';
import type { HostBind } from './binds.js';
import { deviceStyle } from './devices.js';
import { addImageBind } from './imageBinds.js';
import { freshDirectory } from './freshDirectory.js';
import type { Home } from './home.js';
import { NO_FLAGS, READ_ONLY, SESSION } from './layout.js';
import type { Mode } from './mode.js';
import type { MountList } from './mountList.js';

/** Binds that a contained launch keeps (runtime contract §1.4 `--contain`). */
const KEPT_WHEN_CONTAINED: readonly AbsolutePath[] = ['/etc/hosts', '/etc/localtime'];
/** Working directories that are not mounted: the image's own are meant (runtime contract §2.6). */
const NOT_AS_WORKING_DIRECTORY: readonly AbsolutePath[] = [
  '/',
  '/etc',
  '/bin',
  '/mnt',
  '/usr',
  '/var',
  '/opt',
  '/sbin',
  '/lib',
  '/lib64',
];

/** What kind of mount point a path of the host needs. */
function mountPointType(status: FileStatus): 'directory' | 'file' {
  return status.type === 'directory' ? 'directory' : 'file';
}

/** The `bind path` entries of the site, as far as their source is there. */
export function addSiteBinds(list: MountList, options: LaunchOptions, facts: Facts): void {
  if (options.noMount.includes('bind-paths')) return;
  for (const bind of siteBinds(facts.configuration)) {
    const status = facts.paths.get(bind.source) ?? null;
    if (status === null || options.noMount.includes(bind.destination)) continue;
    if (options.contain && !KEPT_WHEN_CONTAINED.includes(bind.source)) continue;
    const quiet = KEPT_WHEN_CONTAINED.includes(bind.source);
    list.host(bind.source, bind.destination, mountPointType(status), quiet ? 'silent' : 'warning');
  }
}

/** /proc and /sys (runtime contract §2.5). */
export function addKernelFileSystems(
  list: MountList,
  options: LaunchOptions,
  facts: Facts,
  mode: Mode,
): void {
  const { configuration } = facts;
  if (configuration.mountProc && !options.noMount.includes('proc')) {
    if (options.pid && configuration.allowPidNamespace) list.fileSystem('proc', '/proc', true);
    else list.host('/proc', '/proc', 'directory', 'warning');
  }
  if (configuration.mountSys && !options.noMount.includes('sys')) {
    if (mode.kind === 'root') list.fileSystem('sysfs', '/sys', true);
    else list.host('/sys', '/sys', 'directory', 'warning');
  }
}

/** Whether the home directory is mounted at all. */
export function mountsHome(options: LaunchOptions, facts: Facts, home: Home): boolean {
  return (
    facts.configuration.mountHome &&
    options.mountHome &&
    !options.noMount.includes('home') &&
    home.destination !== '/'
  );
}

/** The home directory: the host's, or an empty one (runtime contract §2.6). */
export function addHome(
  list: MountList,
  options: LaunchOptions,
  facts: Facts,
  home: Home,
  messages: Message[],
): void {
  if (!mountsHome(options, facts, home)) {
    if (home.destination === '/' && options.mountHome)
      messages.push({ level: 'WARNING', text: 'Not mounting home: the home directory is /' });
    return;
  }
  if (options.contain && !home.given) {
    addEmptyHome(list, options, facts, home);
    return;
  }
  if (facts.paths.get(home.source)?.type !== 'directory') {
    if (home.given) throw refusal(`home directory ${home.source} is not there`);
    messages.push({ level: 'WARNING', text: `Not mounting home: ${home.source} is not there` });
    return;
  }
  // A writable image has no layer in which its mount point could be made.
  const optional = options.writable === 'image' && !home.given;
  list.host(home.source, home.destination, 'directory', optional ? 'warning' : 'fatal');
}

/** An empty home. One below /tmp lies in the empty /tmp itself, which is mounted later and would hide it. */
function addEmptyHome(list: MountList, options: LaunchOptions, facts: Facts, home: Home): void {
  const places = [
    ['/tmp', SESSION.tmp],
    ['/var/tmp', SESSION.varTmp],
  ] as const;
  // A folder that stays has it in its own tmp, too, where the empty /tmp shows it.
  const place = mountsTemporary(options, facts)
    ? places.find(([path]) => home.destination !== path && isWithin(home.destination, path))
    : undefined;
  if (place !== undefined) {
    const [path, session] = place;
    const inTemporary = `${session}/${home.destination.slice(path.length + 1)}`;
    const source = freshDirectory(
      list,
      options,
      facts,
      { session: inTemporary, inWorkdir: inTemporary },
      0o700,
    );
    if (source.kind === 'made')
      list.bind({ source, to: home.destination, prepare: 'directory', onFailure: 'fatal' });
    return;
  }
  const own = { session: SESSION.home, inWorkdir: SESSION.home };
  list.bind({
    source: freshDirectory(list, options, facts, own, 0o700),
    to: home.destination,
    prepare: 'directory',
    onFailure: 'fatal',
  });
}

function mountsTemporary(options: LaunchOptions, facts: Facts): boolean {
  return facts.configuration.mountTmp && !options.noMount.includes('tmp');
}

/** /tmp and /var/tmp. */
export function addTemporary(list: MountList, options: LaunchOptions, facts: Facts): void {
  if (!mountsTemporary(options, facts)) return;
  const unless = [{ kind: 'resolves_to', path: '/tmp' }] as const;
  if (options.contain) {
    const source = (path: string): Source =>
      freshDirectory(list, options, facts, { session: path, inWorkdir: path }, 0o1777);
    // What is to be kept must not land elsewhere.
    const onFailure = options.workdir === null ? 'warning' : 'fatal';
    list.bind({ source: source(SESSION.tmp), to: '/tmp', prepare: 'directory', onFailure });
    list.bind({
      source: source(SESSION.varTmp),
      to: '/var/tmp',
      prepare: 'directory',
      onFailure,
      unless,
    });
    return;
  }
  if (facts.paths.get('/tmp')?.type === 'directory') list.host('/tmp', '/tmp', 'directory', 'warning');
  if (facts.paths.get('/var/tmp')?.type === 'directory')
    list.host('/var/tmp', '/var/tmp', 'directory', 'warning', unless);
}

/** --scratch: fresh directories. */
export function addScratch(list: MountList, options: LaunchOptions, facts: Facts): void {
  options.scratch.forEach((path, index) => {
    const place = { session: `${SESSION.scratch}/${index}`, inWorkdir: `${SESSION.scratch}${path}` };
    list.bind({
      source: freshDirectory(list, options, facts, place, 0o700),
      to: path,
      prepare: 'directory',
      onFailure: 'fatal',
    });
  });
}

/**
 * The binds of the caller. Of several with one destination the first stays: so the command line, which comes first, has its way over the environment.
 * @throws DomainError (status 255) when a source is not there
 */
export function addUserBinds(
  list: MountList,
  options: LaunchOptions,
  facts: Facts,
  mode: Mode,
  messages: Message[],
): void {
  const devices = deviceStyle(options, facts);
  const taken = new Map<AbsolutePath, HostBind>();
  for (const bind of userBinds(options, facts.workingDirectory)) {
    if (bind.destination === '/')
      throw refusal(`could not bind ${bind.source}: / of the container is no destination`);
    const earlier = taken.get(bind.destination);
    if (earlier !== undefined) {
      if (earlier.source !== bind.source)
        messages.push({
          level: 'WARNING',
          text: `Not binding ${bind.source}: ${earlier.source} is bound to ${bind.destination} already`,
        });
      continue;
    }
    taken.set(bind.destination, bind);
    if (bind.image !== undefined) {
      addImageBind(list, { ...bind, image: bind.image }, { options, facts, mode, messages });
      continue;
    }
    const status = facts.paths.get(bind.source) ?? null;
    if (status === null) throw refusal(`could not bind ${bind.source}: no such file or directory`);
    if (devices === 'yes' || !isWithin(bind.destination, '/dev')) addUserBind(list, bind, status);
    else if (!(devices === 'minimal' && addDeviceBind(list, bind, status)))
      messages.push({
        level: 'WARNING',
        text: `Skipping bind of ${bind.source}: below /dev only a device of the host can be bound, under its own name`,
      });
  }
}

function addUserBind(list: MountList, bind: HostBind, status: FileStatus): void {
  list.bind({
    source: { kind: 'host', path: bind.source },
    to: bind.destination,
    prepare: mountPointType(status),
    ...(bind.readOnly ? { flags: READ_ONLY } : {}),
    onFailure: 'fatal',
  });
}

/** Below a minimal /dev only a device of the host under its own name (runtime contract §1.5). False: this is none. */
function addDeviceBind(list: MountList, bind: HostBind, status: FileStatus): boolean {
  const name = bind.destination.slice('/dev/'.length);
  const path = `${SESSION.dev}/${name}`;
  const taken = list.session.some((step) => 'path' in step && step.path === path);
  const device = status.type === 'character' || status.type === 'block';
  if (!device || bind.source !== bind.destination || name === '' || name.includes('/') || taken) return false;
  list.file(path, '', 0o644);
  list.bind({
    source: { kind: 'host', path: bind.source },
    to: bind.destination,
    prepare: null,
    recursive: false,
    flags: { ...NO_FLAGS, readOnly: bind.readOnly },
    onFailure: 'fatal',
  });
  return true;
}

/** The caller's working directory (runtime contract §2.6), unless the caller has bound something else there. */
export function addWorkingDirectory(list: MountList, options: LaunchOptions, facts: Facts, home: Home): void {
  const path = facts.workingDirectory;
  if (path === null || options.contain || options.noMount.includes('cwd')) return;
  if (!facts.configuration.userBindControl || NOT_AS_WORKING_DIRECTORY.includes(path)) return;
  if (['/sys', '/proc', '/dev'].some((place) => isWithin(path, place))) return;
  const binds = userBinds(options, path);
  if (binds.some((bind) => bind.destination === path)) return;
  list.bind({
    source: { kind: 'host', path },
    to: path,
    prepare: 'directory',
    onFailure: 'verbose',
    unless: [{ kind: 'same_file' }, { kind: 'leads_elsewhere' }],
    // What the caller has put above it hides it, and may lack it.
    makes:
      (home.given && isWithin(path, home.destination)) ||
      binds.some((bind) => isWithin(path, bind.destination)),
  });
}
