import type { Message } from '../answer.js';
import type { Facts } from '../facts.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type {
  AbsolutePath,
  Become,
  Credentials,
  LaunchPlan,
  Namespaces,
  Session,
  Step,
  WorkingDirectory,
} from '../plan.js';
import { absolutePath } from '../paths.js';
import { refusal } from '../refusal.js';
import { addFiles, stageAccounts } from './accountFiles.js';
import { debugMessages } from './debugMessages.js';
import { addDevices } from './devices.js';
import { containerEnvironment } from './environment.js';
import type { Home } from './home.js';
import { resolveHome } from './home.js';
import { addHostFileSystems } from './hostFileSystems.js';
import {
  addHome,
  addKernelFileSystems,
  addScratch,
  addSiteBinds,
  addTemporary,
  addUserBinds,
  addWorkingDirectory,
  mountsHome,
} from './hostMounts.js';
import { mountImage } from './image.js';
import { BOOT_CAPABILITIES, bootPayload, instanceFacts, instanceRun } from './instanceRun.js';
import { planLayers } from './layers.js';
import { SESSION } from './layout.js';
import type { Mode } from './mode.js';
import { chooseMode } from './mode.js';
import { MountList } from './mountList.js';
import { contentRoot, mergeSteps } from './overlaySteps.js';
import { layerOf } from './rootLayer.js';
import { launchPayload } from './payload.js';
import { warnOfVariableFiles } from './variableFiles.js';
import { SESSION_PLACES } from './wantedPaths.js';

const MIB = 1024 * 1024;

export interface PlannedLaunch {
  readonly plan: LaunchPlan;
  readonly messages: readonly Message[];
}

/**
 * Decides a launch: pure, the same options and facts give the same plan (runtime contract §2).
 * @throws DomainError (status 255) with the sentence that the person reads
 */
export function planLaunch(wanted: LaunchOptions, given: Facts): PlannedLaunch {
  const messages: Message[] = [];
  const facts = wanted.instance === null ? given : instanceFacts(given);
  const options = permitted(wanted, facts, messages);
  const mode = chooseMode(options, facts, messages);
  const home = resolveHome(options, facts);
  const imagePath = absolutePath(facts.workingDirectory, options.image);
  const environment = containerEnvironment(options, { ...facts, imagePath }, home, messages);
  warnOfVariableFiles(options, facts.variableFiles, messages);
  const { steps, root } = launchSteps(options, facts, mode, home, messages);
  const become: Become = {
    kind: 'become',
    payload: options.instance?.boot === true ? bootPayload(environment) : launchPayload(options, environment),
    workingDirectory: workingDirectory(options, facts, home, messages),
    umask: options.ownUmask ? facts.identity.umask : 0o022,
  };
  const plan: LaunchPlan = {
    format: 1,
    messages: options.messages,
    namespaces: namespaces(options, facts, mode),
    session: session(facts, mode, options),
    steps,
    root,
    credentials: credentials(options, facts, mode),
    run:
      options.instance === null
        ? become
        : instanceRun(options.instance, become, { facts, imagePath, home, mode }),
    inheritDescriptors: options.instance === null,
    dieWithParent: false,
  };
  messages.push(...debugMessages(facts, plan));
  return { plan, messages };
}

/** What the site forbids taken out of the options, each with a warning (runtime contract §3.1). */
function permitted(options: LaunchOptions, facts: Facts, messages: Message[]): LaunchOptions {
  const { configuration } = facts;
  const warn = (text: string): void => void messages.push({ level: 'WARNING', text });
  let allowed = options;
  if (options.pid && !configuration.allowPidNamespace) {
    warn('Not virtualizing PID namespace by configuration');
    allowed = { ...allowed, pid: false };
  }
  if (options.ipc && !configuration.allowIpcNamespace) {
    warn('Not virtualizing IPC namespace by configuration');
    allowed = { ...allowed, ipc: false };
  }
  if (options.uts && !configuration.allowUtsNamespace) {
    warn('Not virtualizing UTS namespace by configuration');
    allowed = { ...allowed, uts: false, hostname: null };
  }
  const custom =
    options.binds.length > 0 ||
    options.home !== null ||
    options.scratch.length > 0 ||
    options.workdir !== null;
  if (custom && !configuration.userBindControl) {
    warn('Ignoring binds, scratch and home of the user: user bind control disabled by system administrator');
    allowed = { ...allowed, binds: [], home: null, scratch: [], workdir: null };
  }
  const known = ['proc', 'sys', 'dev', 'devpts', 'home', 'tmp', 'hostfs', 'cwd', 'bind-paths'];
  for (const word of options.noMount)
    if (!known.includes(word) && !word.startsWith('/')) warn(`Ignoring unknown mount type '${word}'`);
  return allowed;
}

/** The mounts in the order of runtime contract §2.4. */
function launchSteps(
  options: LaunchOptions,
  facts: Facts,
  mode: Mode,
  home: Home,
  messages: Message[],
): { steps: readonly Step[]; root: string } {
  const list = new MountList();
  const image = mountImage(options, facts, mode, messages);
  const layers = planLayers(options, facts, mode, messages);
  const accounts = stageAccounts(options, facts, mode, home, contentRoot(layers));
  addDevices(list, options, facts, mode);
  addHostFileSystems(list, options, facts);
  addSiteBinds(list, options, facts);
  addKernelFileSystems(list, options, facts, mode);
  addHome(list, options, facts, home, messages);
  addTemporary(list, options, facts);
  addScratch(list, options, facts);
  addFiles(list, options, facts, accounts);
  addUserBinds(list, options, facts, mode, messages);
  addWorkingDirectory(list, options, facts, home);

  const directory = (path: string): Step => ({ kind: 'make_directory', path, mode: 0o755 });
  const layer = layerOf(options, facts, mode, layers, list.targets, messages);
  const files = [
    accounts !== null,
    list.session.some((step) => 'path' in step && step.path.startsWith('files/')),
  ];
  const root = layer === null ? SESSION.rootfs : SESSION.root;
  return {
    root,
    steps: [
      directory(SESSION.rootfs),
      ...(files.includes(true) ? [directory('files')] : []),
      ...list.session,
      image,
      ...mergeSteps(layers, mode),
      ...(accounts === null ? [] : [accounts]),
      ...(layer ?? []),
      // A writable image stays as it is: nothing is made for a mount in it.
      ...(options.writable === 'image' ? list.mounts : list.mountsIn(root)),
    ],
  };
}

function namespaces(options: LaunchOptions, facts: Facts, mode: Mode): Namespaces {
  return {
    user: mode.userNamespace,
    propagation: facts.configuration.mountSlave ? 'slave' : 'private',
    pid: options.pid ? { shim: options.shim } : null,
    ipc: options.ipc,
    uts: options.uts ? { hostname: options.hostname } : null,
    net: options.net === 'none' ? 'loopback' : 'host',
  };
}

function session(facts: Facts, mode: Mode, options: LaunchOptions): Session {
  const mountPoint = SESSION_PLACES.find((path) => facts.paths.get(path)?.type === 'directory');
  if (mountPoint === undefined)
    throw refusal(`expected one of the directories ${SESSION_PLACES.join(', ')} on the host, got none`);
  // Root has no limit for its session, but what a payload writes to memory has one for everybody (runtime contract §3.1).
  const limited = mode.kind !== 'root' || options.writable === 'tmpfs';
  const size = facts.configuration.sessionSize * MIB;
  const fileSystem = facts.configuration.sessionFileSystem;
  return { mountPoint, fileSystem, sizeLimit: limited && size > 0 && fileSystem === 'tmpfs' ? size : null };
}

/** Runtime contract §2.12. */
export function credentials(
  options: LaunchOptions,
  facts: Pick<Facts, 'configuration' | 'rootCapabilities'>,
  mode: Pick<Mode, 'kind'>,
): Credentials {
  if (mode.kind === 'user') return { identity: null, capabilities: 'none', noNewPrivileges: true };
  if (mode.kind === 'fakeroot') return { identity: null, capabilities: 'all', noNewPrivileges: true };
  if (options.privileges === 'default' && facts.rootCapabilities !== null)
    return { identity: null, capabilities: facts.rootCapabilities, noNewPrivileges: false };
  const full =
    options.privileges === 'keep' ||
    (options.privileges === 'default' && facts.configuration.rootCapabilities === 'full');
  if (full && options.instance?.boot === true && options.privileges !== 'keep')
    return { identity: null, capabilities: BOOT_CAPABILITIES, noNewPrivileges: false };
  return { identity: null, capabilities: full ? 'all' : 'none', noNewPrivileges: !full };
}

/** Runtime contract §2.6: an explicit directory must be there; else the caller's, the home, the root. */
function workingDirectory(
  options: LaunchOptions,
  facts: Facts,
  home: Home,
  messages: Message[],
): readonly WorkingDirectory[] {
  if (options.workingDirectory !== null) return [{ path: options.workingDirectory, onFailure: 'fatal' }];
  const root: WorkingDirectory = { path: '/', onFailure: 'fatal' };
  const soft = (path: AbsolutePath): WorkingDirectory => ({ path, onFailure: 'verbose' });
  const homes = mountsHome(options, facts, home) || !options.contain ? [soft(home.destination)] : [];
  if (options.contain) return [...homes, root];
  if (facts.workingDirectory === null) {
    messages.push({
      level: 'WARNING',
      text: 'The working directory does not exist any more: starting in the home directory',
    });
    return [...homes, root];
  }
  return [soft(facts.workingDirectory), ...homes, root];
}
