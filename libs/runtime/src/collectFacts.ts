import { grantedCapabilities } from './configuration/capabilityFile.js';
import type { Configuration } from './configuration/configuration.js';
import { loadConfiguration } from './configuration/load.js';
import { openBindImages, openOverlays, serverPrograms } from './collectImages.js';
import type { Facts, SubordinateIds, VariableFile } from './facts.js';
import type { Account, FileStatus, Host, HostIdentity, OpenedImage } from './host.js';
import { hostFileSystems } from './launch/hostFileSystems.js';
import type { LaunchPaths } from './launch/launchPaths.js';
import { wantedPaths } from './launch/wantedPaths.js';
import type { Environment } from './options/environmentFlags.js';
import type { LaunchOptions } from './options/launchOptions.js';
import { absolutePath } from './paths.js';
import type { AbsolutePath, Bytes, GroupLine } from './plan.js';
import { findProgram, PROGRAM_FOLDERS } from './programs.js';
import { refusal } from './refusal.js';
import { findSubordinate } from './subordinate.js';

const LARGEST_SUBID_FILE = 4 * 1024 * 1024;
const LARGEST_MOUNT_TABLE = 16 * 1024 * 1024;
/** A file of variables becomes a part of the arguments of a shell. */
const LARGEST_VARIABLE_FILE = 256 * 1024;

/**
 * Asks the host everything that the plan for these options depends on. Opens the image (its handle stays open).
 * @throws DomainError (status 255) when the image or the configuration cannot be used at all
 */
export function collectFacts(host: Host, options: LaunchOptions, environment: Environment): Facts {
  const directory = host.workingDirectory();
  const workingDirectory = typeof directory === 'string' ? directory : null;
  const configuration = loadConfiguration(host, options.configuration, workingDirectory);
  const identity = host.identity();
  const found = host.account(identity.uid);
  const account = 'error' in found ? null : found;
  const folders = programFolders(configuration, environment);
  const shownHost = configuration.mountHostfs ? hostFileSystems(mountInfo(host)) : [];
  const image = openImage(host, absolutePath(workingDirectory, options.image), options);
  const overlays = openOverlays(host, options, workingDirectory);
  const bindImages = openBindImages(host, options, workingDirectory);
  const images = [image, ...overlays.map((overlay) => overlay.image), ...bindImages.values()];
  const launch: LaunchPaths = { account, configuration, environment, workingDirectory };
  const paths = new Map<AbsolutePath, FileStatus | null>();
  for (const path of [...wantedPaths(options, launch, identity.effectiveUid), ...shownHost]) {
    const status = host.status(path);
    paths.set(path, 'error' in status ? null : status);
  }
  const groups = options.fakeroot ? [] : groupLines(host, identity);
  return {
    identity,
    account,
    groups,
    environment,
    workingDirectory,
    configuration,
    image,
    paths,
    overlays,
    bindImages,
    servers: serverPrograms(host, images, folders),
    fuse: images.some(({ type }) => type !== 'directory') && host.mayUseFuse(),
    terminal: options.contain || configuration.mountDev === 'minimal' ? standardInput(host) : null,
    hostFileSystems: shownHost,
    variableFiles: variableFiles(host, options, workingDirectory),
    rootCapabilities: grantedToRoot(host, identity, configuration, groups),
    subordinate: options.fakeroot ? subordinateIds(host, identity, account, folders) : null,
    interpreter: foreignInterpreter(host, identity, image),
  };
}

function standardInput(host: Host): AbsolutePath | null {
  if (!host.isTerminal(0)) return null;
  const path = host.readLink('/proc/self/fd/0');
  return typeof path === 'string' && path.startsWith('/dev/') ? path : null;
}

function openImage(host: Host, path: AbsolutePath, options: LaunchOptions): OpenedImage {
  const image = host.openImage(path, options.writable === 'image');
  if ('error' in image) throw refusal(`could not open image ${path}: ${image.message}`);
  return image;
}

/** The caller's groups with their names, as far as they have any. */
export function groupLines(host: Host, identity: HostIdentity): readonly GroupLine[] {
  const ids = [...new Set([identity.gid, ...identity.groups])];
  const names = host.groupNames(ids);
  return ids.flatMap((gid, index) => {
    const name = names[index] ?? null;
    return name === null ? [] : [{ gid, name }];
  });
}

function mountInfo(host: Host): Bytes {
  const file = host.readFile('/proc/self/mountinfo', LARGEST_MOUNT_TABLE, 'follow');
  return 'error' in file ? '' : file.content;
}

/** The files of `--env-file`, read. @throws DomainError (status 255) for one that cannot be */
export function variableFiles(
  host: Host,
  options: Pick<LaunchOptions, 'variableFiles'>,
  workingDirectory: AbsolutePath | null,
): readonly VariableFile[] {
  return options.variableFiles.map((path) => variableFile(host, absolutePath(workingDirectory, path)));
}

function variableFile(host: Host, path: AbsolutePath): VariableFile {
  const file = host.readFile(path, LARGEST_VARIABLE_FILE, 'follow');
  if ('error' in file) throw refusal(`could not read ${path} of --env-file: ${file.message}`);
  if (file.content.includes('\0')) throw refusal(`${path} of --env-file has a byte 0`);
  return { path, content: file.content };
}

/** What `capability.json` grants root and its groups, where the site wants that; else null. */
export function grantedToRoot(
  host: Host,
  identity: HostIdentity,
  configuration: Configuration,
  groups: readonly GroupLine[],
): readonly Bytes[] | null {
  if (configuration.rootCapabilities !== 'file' || identity.effectiveUid !== 0) return null;
  return grantedCapabilities(
    host,
    'root',
    groups.map(({ name }) => name),
  );
}

/** `user search path` of the site, with `$PATH` in it, or the fixed list. */
function programFolders(configuration: Configuration, environment: Environment): readonly AbsolutePath[] {
  if (configuration.searchPath === null) return PROGRAM_FOLDERS;
  const folders = configuration.searchPath
    .split(':')
    .flatMap((entry) => (entry === '$PATH' ? (environment.get('PATH') ?? '').split(':') : [entry]));
  return folders.filter((folder) => folder.startsWith('/'));
}

function subordinateIds(
  host: Host,
  identity: HostIdentity,
  account: Account | null,
  folders: readonly AbsolutePath[],
): SubordinateIds {
  const user = account?.name ?? String(identity.uid);
  const entry = (path: AbsolutePath): ReturnType<typeof findSubordinate> => {
    const file = host.readFile(path, LARGEST_SUBID_FILE, 'follow');
    return 'error' in file
      ? { kind: 'none' }
      : findSubordinate(file.content, account?.name ?? null, identity.uid);
  };
  const uid = entry('/etc/subuid');
  const gid = entry('/etc/subgid');
  if (uid.kind === 'range' && gid.kind === 'range')
    return { kind: 'ranges', uid: uid.range, gid: gid.range, programs: idMapPrograms(host, folders) };
  const wrong = uid.kind === 'range' ? gid : uid;
  const file = uid.kind === 'range' ? '/etc/subgid' : '/etc/subuid';
  if (wrong.kind === 'disabled')
    return { kind: 'refused', reason: 'your fakeroot mapping has been disabled by the administrator' };
  if (wrong.kind === 'small')
    return { kind: 'refused', reason: `the entry of ${user} in ${file} has a range count lower than 65536` };
  const reason = `no mapping entry found in ${file} for ${user}`;
  // One file with an entry and the other without is a mistake of the administrator, not a machine without sub-ids.
  return { kind: uid.kind === gid.kind ? 'none' : 'refused', reason };
}

/** The setuid programs of root that write id maps for users, or null when one is not there. */
export function idMapPrograms(
  host: Host,
  folders?: readonly AbsolutePath[],
): { readonly newuidmap: AbsolutePath; readonly newgidmap: AbsolutePath } | null {
  const newuidmap = findProgram(host, 'newuidmap', folders);
  const newgidmap = findProgram(host, 'newgidmap', folders);
  return newuidmap === null || newgidmap === null ? null : { newuidmap, newgidmap };
}

/** GOARCH by the kernel's machine word, with what else runs there natively. */
const NATIVE: Readonly<Record<string, readonly string[]>> = {
  x86_64: ['amd64', '386'],
  i686: ['386'],
  aarch64: ['arm64', 'arm'],
  armv7l: ['arm'],
  ppc64le: ['ppc64le'],
  riscv64: ['riscv64'],
  s390x: ['s390x'],
};

/** binfmt_misc entries by GOARCH, as qemu-user registers them. */
const INTERPRETERS: Readonly<Record<string, string>> = {
  amd64: 'qemu-x86_64',
  '386': 'qemu-i386',
  arm64: 'qemu-aarch64',
  arm: 'qemu-arm',
  ppc64le: 'qemu-ppc64le',
  riscv64: 'qemu-riscv64',
  s390x: 'qemu-s390x',
};

function foreignInterpreter(host: Host, identity: HostIdentity, image: OpenedImage): boolean | null {
  const architecture = image.partition?.architecture ?? null;
  if (architecture === null || NATIVE[identity.machine]?.includes(architecture) === true) return null;
  const name = INTERPRETERS[architecture];
  if (name === undefined) return false;
  const file = host.readFile(`/proc/sys/fs/binfmt_misc/${name}`, 4096, 'follow');
  return !('error' in file) && file.content.startsWith('enabled');
}
