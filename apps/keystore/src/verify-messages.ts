/** What goes to a verifying thread: certificates as they came, each as packets. */
export interface VerifyTask {
  readonly number: number;
  readonly certificates: readonly Uint8Array[];
  /** Milliseconds since 1970: threads have no clock of their own. */
  readonly now: number;
}

/** One certificate: cleaned to what its own key vouches for, or why nothing of it can be kept. */
export type Verified =
  | { readonly bytes: Uint8Array }
  /** A key that can be read has its fingerprint, else it is empty. */
  | { readonly fingerprint: string; readonly message: string };

export interface VerifyReply {
  readonly number: number;
  readonly results: readonly Verified[];
}
