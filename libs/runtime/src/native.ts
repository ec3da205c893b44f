import { become, nativeHost, start } from '#addon';
import type { StartedContainer, StartOptions } from '#addon';
import type { Host } from './host.js';
import type { LaunchPlan } from './plan.js';

export type { CommandEnding, Ending, LaunchFault, StartedContainer, StartOptions } from '#addon';

/**
 * The host functions of the native core, with the rights of this process.
 * @throws Error when the native part is not built
 */
export function systemHost(): Host {
  // The native module has no types of its own; that it has every function of Host is what its test checks.
  return nativeHost() as Host;
}

/**
 * Starts a plan as a child: its output as streams, its end as a promise, killed with everything that it started by `kill` or the death of this process.
 * @throws Error when the native part is not built
 */
export function startPlan(plan: LaunchPlan, options?: StartOptions): StartedContainer {
  return start(plan, options);
}

/**
 * Replaces this process by the launch. Does not return.
 * @throws Error when the native part is not built
 */
export function becomePlan(plan: LaunchPlan): never {
  return become(plan);
}
