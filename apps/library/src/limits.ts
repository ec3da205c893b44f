/** Every bound of the library in one place. Sizes in bytes, times in milliseconds. */
export const LIMITS = {
  /** A part of a multipart upload. Stock clients send more than 64 MiB in parts of the size that the server names. */
  partBytes: 64 * 1024 * 1024,
  /** Parts of one upload; larger files get larger parts. */
  parts: 10_000,
  /** Uploads that one account may have open at the same time for one image. */
  uploadsPerImage: 20,
  /** An upload for which nothing arrived for this long is dead: its bytes and its reservation are given back. */
  uploadIdle: 60 * 60 * 1000,
  /** A client that is sending parts lets at most this much time pass between them. */
  quietUpload: 60 * 1000,
  /** How long the end of an upload is remembered, so that a repeated completion gets the same answer. */
  uploadMemory: 60 * 60 * 1000,
  /** A signed upload URL, and the proof that a download was begun, is good for this long at most. */
  uploadUrl: 24 * 60 * 60 * 1000,
  /**
   * An address of the object store for the bytes of a private image is good for this long, and for as long as a pull takes that
   * gets so many bytes in a second; for what everybody may have, as long as `uploadUrl`. Stock clients use it to the end of the pull.
   */
  privateAddress: 10 * 60 * 1000,
  slowestPull: 1024 * 1024,
  /**
   * What follows an upload, tags and the pull of what was built, may be done with a token that has expired during it for this long.
   * Shorter than `uploadMemory`.
   */
  afterUpload: 10 * 60 * 1000,
  /** Uploads with one token that are looked at for what has just been done with it. */
  recentUploads: 100,
  /** How often dead uploads are looked for. */
  sweepInterval: 60 * 1000,
  /** Uploads that one round of the sweep ends. */
  sweepBatch: 200,
  /** Bytes on disk that were touched by another process of this service less than this long ago are left alone. */
  sweepGrace: 2 * 60 * 60 * 1000,
  /** The removal of a blob takes moments: one that was begun longer ago than this has failed, and is finished by the sweep. */
  removalGrace: 10 * 60 * 1000,
  /** Tags of one container over all architectures. */
  tagsPerContainer: 5000,
  /** Tags of an image, or of a container that a search found, that an answer lists. */
  tagsInAnswer: 100,
  /** Writes of one commit that only remove tags, below what the document port takes at once. */
  tagsPerCommit: 400,
  /** Tags that one commit removes and tells of. */
  tagsRemoved: 150,
  /** How long a name from before leads to a container, and how many of them. */
  formerName: 180 * 24 * 60 * 60 * 1000,
  formerNames: 10,
  /** The same with names of the collection from before. */
  formerPaths: 40,
  /**
   * Downloads are written down together after this time, or when as many containers wait; so many of them in one commit, which takes two
   * writes for each.
   */
  downloadFlush: 10 * 1000,
  downloadsWaiting: 10_000,
  downloadsPerCommit: 200,
  /** Days for which downloads are kept. */
  downloadDays: 400,
  /** How often it is looked for rules that are to be applied, and how often those of one container or entity are. */
  retentionInterval: 5 * 60 * 1000,
  retentionRound: 24 * 60 * 60 * 1000,
  /** After this silence another process applies rules; after a failure it is tried again then, too. */
  retentionLease: 10 * 60 * 1000,
  /** Images that one run looks at. */
  retainedImages: 20_000,
  /** Entities that a list shows. */
  entitiesListed: 1000,
  /** Images with the same content that are looked at to find one that the caller may read. */
  sameContent: 50,
  /** Attempts of a commit that loses races. */
  commitAttempts: 50,
  /** How long a commit waits for a blob that is just being removed, and how often it looks. */
  removalWait: 20,
  /** Shortest and longest search text, in characters (library contract §5 no. 29). */
  searchMinimum: 3,
  searchMaximum: 255,
  /** Words of a search that the index is asked for. */
  searchKeys: 4,
  /** Words of the texts of one object, of the labels of one image, and signers of one image, that lead a search to it. */
  searchWords: 200,
  searchImageWords: 40,
  searchSigners: 16,
  /** Characters of a word of texts. */
  searchWord: 64,
  /** Objects of one kind, and images, in one answer of a search. */
  searchObjects: 100,
  searchImages: 200,
  /** Images of containers that a search looks at for one answer. */
  searchImagesLooked: 2000,
  /** What a search looks at for one answer, of each kind; beside it, what it passes over; and that many of both at once. */
  searchCandidates: 1000,
  searchPassed: 1000,
  searchBatch: 120,
  /** How far words are counted at first, to find the one that fewest have. */
  searchProbe: 64,
  /** Characters of what a search goes on with. */
  searchCursor: 8000,
  /** Labels of an image that are kept with it, and characters of a name and a value. */
  labels: 64,
  labelName: 128,
  labelValue: 512,
  /** What is shown of an image from its file: characters of one text, labels, and objects. */
  detailText: 256 * 1024,
  /** Bytes of an object of an image that are read for it. */
  detailBytes: 1024 * 1024,
  detailLabels: 500,
  detailLabel: 4096,
  detailObjects: 500,
  /** Entities up to which the metrics add them up. */
  countedEntities: 1000,
  /** Images of one container that a search looks at, newest first. */
  searchImagesPerContainer: 100,
  /** Documents that one part of a check looks at, and images of containers whose sizes it adds up. */
  checkedPart: 200,
  checkedImages: 2000,
  /** How often what looks different is read until it stays the same for a moment, and how often its repair is tried. */
  checkAttempts: 20,
  repairAttempts: 5,
  /** Writes of one repair; what is left goes with the next check. */
  repairWrites: 400,
  /** A blob that nobody needs is removed by a check when it was stored longer ago than this. */
  strayBlobAge: 60 * 60 * 1000,
  /** Bytes that one part of a check hashes, and how long it waits for a blob that is larger. */
  rehashedPart: 256 * 1024 * 1024,
  rehashWait: 10 * 1000,
  /** Blobs in a list of damaged ones. */
  damagedListed: 100,
  /** All blobs are hashed in the background once in this time, if SCS_LIBRARY_SCRUB_RATE is enough for it. */
  scrubRound: 7 * 24 * 60 * 60 * 1000,
  /** How often it is written down how far that has come, and after which silence another process goes on. */
  scrubSave: 10 * 1000,
  scrubLease: 60 * 1000,
  /** Blobs that are listed at once for it. */
  scrubPage: 100,
  /** Signatures of an image that are looked at, and keys that are asked for; with more it counts as signed by nobody. */
  signaturesPerImage: 64,
  /** How often the bytes of an image may be read for its signatures, besides their own: once for each algorithm would be six times. */
  readsPerSignedImage: 8,
  signatureBytes: 128 * 1024 * 1024,
  /** Digests of objects that are kept of an image: that many objects have none of their own. */
  digestsPerImage: 200,
  /** How often the keystore is asked which keys have changed, while images are signed. */
  keyChangesInterval: 2000,
  /** After a question that was not answered: twice as long each time, up to the second. */
  keystoreRetry: 2000,
  keystoreRetryLongest: 10 * 60 * 1000,
  /** How long an answer of the keystore is waited for. */
  keystoreWait: 10 * 1000,
  /** Images that one round of checks looks at, and that are marked in one commit when a key has changed. */
  signatureBatch: 100,
  /** A key that nobody has is looked for again after this, should its arrival not have been told. */
  unknownKeyRetry: 24 * 60 * 60 * 1000,
  /** A signature that is not good may be one of the future, by a clock that is ahead of ours: it is looked at again for so long. */
  badSignatureRetry: 10 * 60 * 1000,
  badSignatureRetried: 24 * 60 * 60 * 1000,
  /** Events that get their numbers in one commit; with what comes of them for webhooks it stays below what the document port takes. */
  eventsAtOnce: 30,
  /** How long after the write of an event the sequencer looks, for how long it goes on, and how often it looks otherwise. */
  eventsBusy: 100,
  eventsSettle: 10 * 1000,
  eventsIdle: 60 * 1000,
  /** How long events are kept, how many, and how many are forgotten at once. */
  eventsKept: 7 * 24 * 60 * 60 * 1000,
  eventsMost: 1_000_000,
  eventsForgotten: 400,
  /** Who listens to events at the same time, in all and of one account (without a token: of one address). */
  eventStreams: 500,
  eventStreamsPerClient: 50,
  /** Events that a stream reads at once, and indexes that are read for one; a member of more entities reads the whole feed. */
  eventsRead: 100,
  eventSources: 20,
  /** Silence after which a stream says that it is still there; after so many of them it ends, so that its client asks anew: an hour. */
  eventHeartbeat: 15 * 1000,
  eventBeats: 240,
  /** A client that takes nothing is cut off after this time; one that lost its stream comes again after this. */
  eventIdle: 30 * 1000,
  eventRetry: 3 * 1000,
  /** How often tokens of who listens, and events of other processes, are looked at. */
  eventPoll: 500,
  /** Webhooks of one entity. */
  webhooks: 10,
  /** Deliveries at the same time, each to another webhook; and those of them to webhooks that have failed before. */
  deliveriesAtOnce: 16,
  deliveriesToFailing: 8,
  /** Deliveries to one webhook in a row, after which others have their turn. */
  deliveriesInTurn: 50,
  /** A receiver that has not answered by then has failed. */
  deliveryTimeout: 10 * 1000,
  /** After the first failure of a delivery it is tried again after this time, then after twice as long, at most after the second. */
  deliveryBackOff: 10 * 1000,
  deliveryBackOffMost: 4 * 60 * 60 * 1000,
  /** A delivery that has not succeeded by then is given up. */
  deliveryEnd: 24 * 60 * 60 * 1000,
  /** A webhook that fails is left alone for a quarter of the time since it does, at most for this. */
  webhookPauseMost: 30 * 60 * 1000,
  /** After so long without a delivery that succeeded it is disabled. */
  webhookFailing: 5 * 24 * 60 * 60 * 1000,
  /** Attempts in the log of a delivery; deliveries that are over, of one webhook, and for how long they are listed. */
  deliveryLog: 20,
  deliveriesKept: 200,
  deliveriesKeptFor: 7 * 24 * 60 * 60 * 1000,
  /** Deliveries that may wait for one webhook for longer than an hour; the oldest ones are given up. */
  deliveriesWaiting: 1000,
  deliveriesWaitingFree: 60 * 60 * 1000,
  /** One process delivers: for how long it says so, and how often it looks what is due while something waits. */
  webhookLease: 20 * 1000,
  webhookPoll: 1000,
  /** How long attempts under way may take when the process is asked to stop. */
  webhookGrace: 2 * 1000,
} as const;

/** The bounds that are passed in: small ones in tests. */
export const LIBRARY_LIMITS = Symbol('library limits');
export type LibraryLimits = { readonly [Name in keyof typeof LIMITS]: number };

/** Names for short references (library contract §8: "configurable default entity and collection"). */
export const DEFAULTS = { entity: 'library', collection: 'default' } as const;

/** What tag calls without an architecture act on (library contract §9). */
export const DEFAULT_ARCH = 'amd64';
