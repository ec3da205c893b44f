const MIB = 1024 * 1024;

/** Limits of the builder (builder contract §10). Sizes in bytes, times in seconds. */
export const LIMITS = {
  /** Body of a submit: the definition in base64 and a parsed form beside it. */
  submitBytes: 4 * MIB,
  definitionBytes: MIB,
  contextBytes: 4 * 1024 * MIB,
  /** A context that nobody released goes after this time. */
  contextSeconds: 24 * 60 * 60,
  /** Time to begin sending an announced context. */
  uploadSeconds: 60 * 60,
  /** One append of a worker. */
  logAppendBytes: MIB,
  /** Log of one build; a worker shortens in the middle before that. */
  logBytes: 128 * MIB,
  /** One message on a log socket (builder contract §5.2). */
  messageBytes: 32 * 1024,
  pingSeconds: 25,
  /** The last lines of a log follow the final status within this time. */
  logEndSeconds: 10,
  /** How often queue and documents are compared. */
  recoverySeconds: 60,
  /** One try of a build. */
  buildSeconds: 60 * 60,
  /** Tries of a build whose worker was lost. */
  attempts: 2,
  /** Builds of one account that are not finished. */
  pendingPerAccount: 50,
  listed: 200,
  tags: 16,
} as const;
