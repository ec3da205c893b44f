import type { JoinPlan } from './instance/joinPlan.js';
import type { InstanceRequest } from './instance/request.js';
import type { Bytes, Handle, LaunchPlan } from './plan.js';

/** A message for stderr, printed by the program in the form of runtime contract §1.2 when its level allows it. */
export interface Message {
  readonly level: 'FATAL' | 'ERROR' | 'WARNING' | 'INFO' | 'VERBOSE' | 'DEBUG';
  readonly text: Bytes;
}

/**
 * What the planner answers to a command line. The engine's bundle defines one global function
 * `plan(words: readonly string[]): Answer`, where `words` are the arguments after the program's own name (for a program called `run-singularity`: with
 * `run` put in front), and expects the global object `host` (host.ts). It never throws for anything that a person did; an exception out of
 * it is a bug: the program prints `FATAL:   planner: <message>` and ends with 255.
 */
export type Answer = LaunchAnswer | JoinAnswer | InstancesAnswer | NodeAnswer | PrintAnswer;

/** Print the messages, then execute the plan. */
export interface LaunchAnswer {
  readonly kind: 'launch';
  readonly messages: readonly Message[];
  readonly plan: LaunchPlan;
}

/** Print the messages, then start the payload in an instance that runs. */
export interface JoinAnswer {
  readonly kind: 'join';
  readonly messages: readonly Message[];
  readonly plan: JoinPlan;
}

/** Do what is asked of instances that run, and print it. */
export interface InstancesAnswer {
  readonly kind: 'instances';
  readonly level: number;
  readonly colour: boolean;
  readonly request: InstanceRequest;
}

/** Not for the native program (an image that is a URL, help, a verb of Node): close the handles and become Node with the same words. */
export interface NodeAnswer {
  readonly kind: 'node';
  readonly close: readonly Handle[];
}

/** Print the messages, `stderr` and `stdout` as they are, then end with `status`. */
export interface PrintAnswer {
  readonly kind: 'print';
  readonly messages: readonly Message[];
  readonly level: number;
  readonly colour: boolean;
  readonly stderr: Bytes;
  readonly stdout: Bytes;
  readonly status: number;
}
