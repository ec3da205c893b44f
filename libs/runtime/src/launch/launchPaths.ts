import type { Configuration } from '../configuration/configuration.js';
import type { Account } from '../host.js';
import type { Environment } from '../options/environmentFlags.js';
import type { AbsolutePath } from '../plan.js';

/** What the paths of a launch follow from: the part of Facts that is known before any of them was looked at. */
export interface LaunchPaths {
  readonly account: Account | null;
  readonly configuration: Configuration;
  readonly environment: Environment;
  readonly workingDirectory: AbsolutePath | null;
}
