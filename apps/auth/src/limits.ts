/** Every bound of the auth service, in one place. */
export const AUTH_LIMITS = {
  /** Bytes of a JSON or form body: the largest is an exchange with two tokens. */
  body: 16_384,
  /** Tokens of one account that are valid at the same time. */
  tokensPerAccount: 200,
  /** Organisations of one account; members and robots of one organisation, disabled ones included. */
  organisationsPerAccount: 1_000,
  membersPerOrganisation: 5_000,
  robotsPerOrganisation: 200,
  /** Accounts whose states are told in one commit: each takes three writes of it. */
  spreadBatch: 100,
  /** Changes that lose a race against another process are tried again this often. */
  commitRaces: 20,
  /** Bytes of one page of the feed, more when a single entry is longer. As a signed text it is a third longer. */
  feedBytes: 400_000,
  /** A feed entry that was replaced stays this long for whoever is reading at that moment. */
  supersededSeconds: 600,
  /** The use of a token is kept when the last one is older than this. */
  useSpacingMs: 30_000,
  /** A new signing key is published at this age of the newest one, and signs when every service has seen it. */
  signingKeyAgeMs: 90 * 86_400_000,
  signingKeyWaitMs: 10 * 60_000,
  /** The folder of signing keys is looked at this often. */
  signingKeyCheckMs: 2_000,
  /** Before older keys are retired in an emergency, every replica has read the new one and every service has heard of it. */
  signingKeyAnnounceMs: 4_000,
  /** Argon2id runs at once (19 MiB each), and how many more may wait. */
  hashesAtOnce: 2,
  hashesWaiting: 32,
  /** Wrong passwords, and new tokens, in one window, before the next try has to wait for its end. */
  attemptWindowMs: 60_000,
  attemptsPerAccountAndAddress: 5,
  attemptsPerAddress: 30,
  /** From everywhere together: high, so that a stranger cannot keep the owner out by guessing. */
  attemptsPerAccount: 100,
  /** Refused passwords that are recorded in one window; further ones are in the log of requests. */
  recordedRefusals: 600,
  /** New tokens of one account in one window. */
  newTokensPerAccount: 60,
  /** Counters that are kept; the oldest go first. */
  attemptCounters: 20_000,
  /** The token of the first start is made anew at a start when less than this is left of it. */
  renewBeforeSeconds: 30 * 86_400,
  /** Expired documents are kept this long for people to look at, then swept. */
  keepExpiredMs: 30 * 86_400_000,
  /** Browsers of one account that are signed in at the same time; the one that ends first makes room. */
  sessionsPerAccount: 20,
  /** A session ends a week after the password was typed, and after twelve hours without a request. */
  sessionMs: 7 * 86_400_000,
  sessionIdleMs: 12 * 3_600_000,
  /** It gets another identifier every hour; the one before is taken a minute longer. */
  sessionRenewMs: 3_600_000,
  sessionGraceMs: 60_000,
  /** Its use is written down at most this often. */
  sessionNoteMs: 300_000,
  /** Tokens that the page shows. */
  tokensShown: 200,
  sweepMs: 3_600_000,
  /** Documents removed in one commit of the sweep. */
  sweepBatch: 200,
} as const;
