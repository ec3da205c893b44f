/** What passes between a service's thread and a hash thread. Types only: the thread's program is loaded on its own. */

/** Requests are answered in their order; `hash` is a number that the asking side gives. */
export type HashRequest =
  | { readonly kind: 'update'; readonly hash: number; readonly chunks: readonly Uint8Array[] }
  /** Makes the hash `to`, of the same bytes so far. */
  | { readonly kind: 'copy'; readonly hash: number; readonly to: number }
  | { readonly kind: 'digest'; readonly hash: number }
  | { readonly kind: 'end'; readonly hash: number };

/** One for every `update` (empty) and `digest` (hexadecimal). */
export type HashReply = string;
