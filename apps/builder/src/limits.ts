const MIB = 1024 * 1024;

/** Limits of the builder (builder contract §10). Sizes in bytes, times in seconds. */
export const LIMITS = {
  /** Body of a submit: the definition in base64 and a parsed form beside it. */
  submitBytes: 4 * MIB,
  definitionBytes: MIB,
  /** Definitions that one list shows; the rest of its builds come without. */
  listedDefinitionBytes: 4 * MIB,
  contextBytes: 4 * 1024 * MIB,
  /** Contexts that one account holds besides those of its builds; the oldest go for new ones. */
  contextsPerAccount: 50,
  contextBytesPerAccount: 16 * 1024 * MIB,
  /** A context that nobody released goes after this time. */
  contextSeconds: 24 * 60 * 60,
  /** Time to begin sending an announced context. */
  uploadSeconds: 60 * 60,
  /** One append of a worker. */
  logAppendBytes: MIB,
  /** Log of one build; a worker shortens in the middle before that. Lines of the builder's own come on top. */
  logBytes: 128 * MIB,
  /** Logs are kept this long after their last line. */
  logSeconds: 90 * 24 * 60 * 60,
  /** How often old ones are looked for. */
  logSweepSeconds: 24 * 60 * 60,
  /** One message on a log socket (builder contract §5.2). */
  messageBytes: 32 * 1024,
  pingSeconds: 25,
  /** How often it is asked whether the token of a log socket was revoked. With the time of the feed this stays around one second. */
  revokedSeconds: 0.5,
  /** Pings in a row that nobody answered, while nothing was taken either: nobody is there any more. */
  unansweredPings: 3,
  /** Log sockets of one account. */
  streamsPerAccount: 100,
  /** The last lines of a log follow the final status within this time. */
  logEndSeconds: 10,
  /** How often queue and documents are compared. */
  recoverySeconds: 60,
  /** One try of a build. */
  buildSeconds: 60 * 60,
  /** From submit to the end: as long as the rights last that were exchanged for a build. */
  totalSeconds: 24 * 60 * 60,
  /** Who submitted a build learns its end for this long, also when the token has expired meanwhile. */
  afterEndSeconds: 10 * 60,
  /** Tries of a build whose worker was lost. */
  attempts: 2,
  /** Builds of one account that are not finished. */
  pendingPerAccount: 50,
  /** Lost races after which a change is given up. */
  changeAttempts: 100,
  listed: 200,
  /** Builds in one state up to which the metrics count them. */
  counted: 1000,
  tags: 16,
} as const;
