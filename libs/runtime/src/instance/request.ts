import type { Bytes, InstancePlace } from '../plan.js';

/** What the native program is asked to do with instances that run. */
export interface InstanceRequest {
  readonly action: 'list' | 'stop' | 'stats';
  readonly place: InstancePlace;
  /** Whose they are: what belongs to anybody else is not believed. */
  readonly owner: number;
  /** As in a shell; empty: all. For `stats` a name. */
  readonly glob: Bytes;
  readonly json: boolean;
  /** `list`: with the paths of the logs. */
  readonly logs: boolean;
  /** `stats`: once, not again every second. */
  readonly once: boolean;
  /** `stop`: sent first. */
  readonly signal: number;
  /** `stop`: what is there after that is killed. */
  readonly seconds: number;
}
