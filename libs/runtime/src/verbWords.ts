import type { Host } from './host.js';
import type { Environment } from './options/environmentFlags.js';
import type { Bytes, MessageSettings } from './plan.js';

/** What a verb answers from: its own words, and what was read for all of them. */
export interface VerbWords {
  /** Behind the verb. */
  readonly words: readonly Bytes[];
  readonly configuration: Bytes | null;
  readonly messages: MessageSettings;
  readonly environment: Environment;
  readonly host: Host;
}
