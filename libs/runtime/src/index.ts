export type {
  Answer,
  InstancesAnswer,
  JoinAnswer,
  LaunchAnswer,
  Message,
  NodeAnswer,
  PrintAnswer,
} from './answer.js';
export { bytesOf } from './bytes.js';
export { buildIds } from './build/buildIds.js';
export type { BuildIds } from './build/buildIds.js';
export { planCommands } from './build/planCommands.js';
export type { BuildCommand, CommandsOptions } from './build/planCommands.js';
export { exposedPath, planEnclosure } from './build/planEnclosure.js';
export type { EnclosureOptions, Exposure } from './build/planEnclosure.js';
export { collectFacts } from './collectFacts.js';
export { answerCommandLine } from './commandLine.js';
export type { Configuration } from './configuration/configuration.js';
export { DIRECTIVES } from './configuration/directives.js';
export type { Directive } from './configuration/directives.js';
export { parseConfiguration } from './configuration/parse.js';
export type { Facts } from './facts.js';
export type * from './host.js';
export { INSTANCE_FLAGS } from './instance/instanceFlags.js';
export { planLaunch } from './launch/planLaunch.js';
export { becomePlan, startPlan, systemHost } from './native.js';
export type { CommandEnding, Ending, LaunchFault, StartedContainer, StartOptions } from './native.js';
export { ACTION_FLAGS, FETCH_FLAGS } from './options/actionFlags.js';
export type { Flag as RuntimeFlag, Verb } from './options/flag.js';
export { plainOptions } from './options/launchOptions.js';
export type { LaunchOptions } from './options/launchOptions.js';
export type * from './plan.js';
export { STANDARD_ENVIRONMENT } from './standardEnvironment.js';
