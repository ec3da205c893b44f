/**
 * The native part for Node: the host functions that the planner asks, `become` and `start`. Plans are data whose types live in
 * libs/runtime; this file knows only what it needs of them. Nothing is loaded before the first use.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withHandles } from './handles.js';
import { startProgram, type StartedContainer, type StartOptions } from './start.js';

export type { CommandEnding, Ending, LaunchFault, StartedContainer, StartOptions } from './start.js';

interface Binding {
  createHost(root: string): object;
  become(program: string, plan: string, handles: readonly number[]): never;
  limitUnsent(descriptor: number, bytes: number): void;
}

/** Where the build puts its results, seen from this file: from the sources, from dist/addon, from a bundle in dist/<name>. */
const PLACES = ['build', '../../addon/build', '../addon/build'];
const HOW_TO_BUILD = 'npm run build:native';

let folder: string | undefined;
let binding: Binding | undefined;

/**
 * The folder with the built program and module.
 * @throws Error that names every path tried and the command that builds them
 */
function buildFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const tried = PLACES.map((place) => resolve(here, place));
  folder ??= tried.find(
    (place) => existsSync(resolve(place, 'binding.node')) && existsSync(resolve(place, 'sing')),
  );
  if (folder === undefined)
    throw new Error(
      `Expected the native part (sing, binding.node) in one of ${tried.join(', ')}, got nothing there; build it with: ${HOW_TO_BUILD}`,
    );
  return folder;
}

function load(): Binding {
  if (binding !== undefined) return binding;
  const path = resolve(buildFolder(), 'binding.node');
  try {
    // The one place where a value of unknown shape is given its type: the module is built from this repository.
    binding = createRequire(import.meta.url)(path) as Binding;
    return binding;
  } catch (cause) {
    throw new Error(`Expected ${path} to load into this Node; build it again with: ${HOW_TO_BUILD}`, {
      cause,
    });
  }
}

/**
 * The host functions of libs/runtime/src/host.ts (its `Host` is the type of this object). They act with the rights of this process and change nothing.
 * The environment is that of the moment of this call.
 * @throws Error when the native part is not built
 */
export function nativeHost(): object {
  return load().createHost(resolve(buildFolder(), '../..'));
}

/** The path of the program that executes plans. @throws Error when it is not built */
export function programPath(): string {
  return resolve(buildFolder(), 'sing');
}

/**
 * Replaces this process by the launch of `plan` (a LaunchPlan of libs/runtime). What Node changed in the process (signals, standard streams) is put back; open handles
 * of the plan are passed on. Does not return.
 * @throws Error when the native part is not built, or the program cannot be started
 */
export function become(plan: object): never {
  const { text, handles } = withHandles(plan, (handle) => handle);
  return load().become(programPath(), text, handles);
}

/**
 * Starts `plan` (a LaunchPlan of libs/runtime) as a child. Everything that it started is killed when `kill` is called or this process
 * ends, however that happens; it is complete only for plans with a PID namespace.
 * @throws Error when the native part is not built
 */
export function start(plan: object, options: StartOptions = {}): StartedContainer {
  return startProgram(programPath(), plan, options);
}

/**
 * Bounds how many bytes the system takes of a TCP socket's owner that it cannot send yet (TCP_NOTSENT_LOWAT, tcp(7)); of a listening socket, for
 * every connection that it accepts from now on.
 * @throws Error when the native part is not built, or the system refuses
 */
export function limitUnsent(descriptor: number, bytes: number): void {
  load().limitUnsent(descriptor, bytes);
}
