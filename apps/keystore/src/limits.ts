/** Limits of the keystore (keystore contract §4.1). */
export const LIMITS = {
  /** Bytes of a request to `/pks/add`. */
  uploadBytes: 2 * 1024 * 1024,
  /** Uploads of one account that are under way or wait: each holds its body in memory. */
  uploadsWaiting: 50,
  /** Writes of one commit that the document port takes. */
  writes: 500,
  /** Changes that share a commit at most: how long the first of them waits. */
  changesAtOnce: 64,
  /** Lost races against other processes after which a change gives up. */
  commitRaces: 100,
  /** Who listens to changes at the same time, in all and from one address, behind which there may be a whole cluster. */
  eventStreams: 500,
  eventStreamsPerAddress: 50,
  /** Changes that are read and sent at once. */
  eventsAtOnce: 100,
  /** Milliseconds of silence after which a stream says that it is still there, and until a client that takes nothing is cut off. */
  heartbeatMs: 15_000,
  /** Those times after which a stream ends, so that its client asks anew: an hour. */
  eventBeats: 240,
  eventIdleMs: 30_000,
  /** Milliseconds after which a client that lost its stream comes again. */
  eventRetryMs: 3_000,
  /** How often changes of other processes are looked for while somebody listens. */
  feedPollMs: 500,
  /** Keys in the keyring of one organisation, and keyrings that are kept as they were last given. */
  keyringKeys: 500,
  keyringsKept: 50,
  /** Documents that a check looks at in one part, certificates at the same time, and how often at one that others change meanwhile. */
  checkedPart: 200,
  checkedAtOnce: 16,
  checkAttempts: 5,
  /** Index entries that are counted at a time, and keys that end soon up to which they are counted. */
  countedAtOnce: 1000,
  countedExpiring: 1000,
  /** How often it is looked which keys end soon, in milliseconds, and how many keys at a time. */
  noticesEveryMs: 60 * 60 * 1000,
  noticesAtOnce: 200,
  /** Days after its end for which somebody is still told of it, and for which it is remembered that somebody was. */
  noticeDaysAfter: 30,
  noticeKeptDays: 90,
  /** Certificates that one thread checks at a time in bulk, threads at most, and milliseconds without work after which they end. */
  verifiedAtOnce: 20,
  verifyThreads: 8,
  verifyRestMs: 30_000,
  /** Imports that are under way at the same time: each holds its body in memory. */
  imports: 8,
  /** Milliseconds in which a challenge has to be signed. */
  challengeMs: 10 * 60 * 1000,
  /** Milliseconds by which the clock of whoever signs it may be ahead. */
  claimSkewMs: 10 * 60 * 1000,
  /** Bytes of a request with a signed challenge, and of one with hashes of user ids. */
  claimBytes: 64 * 1024,
  hiddenBytes: 16 * 1024,
  /** Accounts that are remembered for having brought something of a certificate. */
  contributors: 50,
  /** Bytes of a search term. */
  searchBytes: 512,
  words: 8,
  /** Characters of a word. */
  wordLength: 64,
  /** Certificates in one answer of `op=get`, and bytes of them. */
  certificates: 10,
  answeredBytes: 5 * 1024 * 1024,
  /** Certificates among which those are chosen. */
  compared: 100,
  /** Certificates in one page of a listing, where the request does not say how many. */
  listed: 256,
  listedMost: 500,
  /** Certificates with each word of a search that are counted first, to find the rarest; as many as are listed where all have more. */
  counted: 16,
  /** Certificates in one page that people read. */
  shown: 50,
  /** Certificates with the rarest word of a search that one request looks at, and how many at a time. */
  walked: 5000,
  walkedAtOnce: 250,
  /** Characters of a page token. */
  pageToken: 1024,
  /** Words under which one certificate is found, over all its user ids. */
  indexedWords: 200,
  /** Bytes of finished answers that are kept in memory as they are asked for: those of 100,000 small keys, each asked for in four ways. */
  answerBytes: 224 * 1024 * 1024,
  /** Bytes of an e-mail address that is looked up. */
  handleBytes: 254,
  /** Milliseconds after which a look-up or an upload is given up: stock clients hang up after five seconds (contract §1.1). */
  answerTime: 4_000,
  /** Milliseconds that a look-up of somebody who asks too often is held up at most, with the same in mind. */
  heldUp: 2_500,
  /** Addresses and accounts whose rate is remembered. */
  rememberedRates: 50_000,
} as const;
