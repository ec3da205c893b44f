import type { Bytes } from '../plan.js';

export type Verb = 'exec' | 'run' | 'shell' | 'test';
export const VERBS: readonly Verb[] = ['exec', 'run', 'shell', 'test'];
/** What a container can be started for: also the startscript of an instance. */
export type LaunchVerb = Verb | 'start';

/**
 * A flag as data: the parser, the environment and the help are made from this. `nothing`: a switch (`--flag=false` takes it back);
 * `value`: the last one counts; `values`: all count, in order.
 */
export interface Flag {
  readonly name: string;
  readonly short?: string;
  readonly takes: 'nothing' | 'value' | 'values';
  /** Other long spellings. */
  readonly aliases?: readonly string[];
  /** `SINGULARITY_<key>` sets it when the command line does not (runtime contract §1.3). */
  readonly keys?: readonly string[];
  /** Absent: all of exec, run, shell and test. */
  readonly verbs?: readonly Verb[];
  /** The word for the value in the help. */
  readonly value?: string;
  /** One line for the help; absent: known in the field, but not offered by this version. */
  readonly summary?: string;
  /** Of a flag that is not offered: what helps instead. */
  readonly remedy?: string;
  /** Not in the help, but taken: it asks for what is the case anyway. */
  readonly granted?: true;
}

/** What was given for one flag, and where (for messages). */
export interface FlagValue {
  readonly flag: Flag;
  /** The switch; true for flags with values. */
  readonly on: boolean;
  readonly texts: readonly Bytes[];
  /** `--bind`, or the name of the variable. */
  readonly givenBy: string;
}

export type FlagValues = ReadonlyMap<string, FlagValue>;
