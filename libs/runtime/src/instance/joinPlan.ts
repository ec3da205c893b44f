import type { ProcessMark } from '../host.js';
import type { Become, Bytes, Credentials, Identity, MessageSettings } from '../plan.js';

/**
 * Everything the native executor does to start a payload in an instance that runs. In this order: hold `keeper` and `init` by pidfd and check that they
 * are what they were (of this user, started then, `init` process 1 of a PID namespace below and called `sinit` unless `boot`, `keeper` its
 * parent); enter the keeper's namespaces at once and the PID namespace of its children; fork; the child takes the ids `enterAs` and
 * `credentials`, enters the first possible directory and becomes the payload; the parent waits, forwards signals and ends as the child ended.
 */
export interface JoinPlan {
  /** Format of this document; the executor refuses any other. */
  readonly format: 1;
  readonly messages: MessageSettings;
  readonly name: Bytes;
  readonly init: ProcessMark;
  readonly keeper: ProcessMark;
  readonly boot: boolean;
  /** Ids inside; null: the caller's own. */
  readonly enterAs: Identity | null;
  /** Always without new privileges. */
  readonly credentials: Credentials;
  readonly run: Become;
}
