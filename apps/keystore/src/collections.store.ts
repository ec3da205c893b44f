import { z } from 'zod';
import type { CollectionSpec } from '#libs/documents';

/* What the keystore keeps. Nothing here knows the framework: `scs keys check --offline` reads it too. Fields that came later are optional. */

/** An account that brought or owns a certificate, as it was then. */
const Party = z.object({
  account: z.string(),
  username: z.string(),
  /** Its e-mail address, lower case; an address of the certificate that equals it is confirmed (ADR 14). */
  email: z.string(),
  /** ISO. */
  at: z.string(),
});
export type Party = z.infer<typeof Party>;

const StoredUserId = z.object({
  text: z.string(),
  /** SHA-256 of its bytes, hexadecimal: by this it is hidden. */
  hash: z.string().optional(),
  created: z.number(),
  revoked: z.boolean(),
  /** Its address is that of an account that brought or owns the certificate: a badge, no proof of identity. */
  confirmed: z.boolean().optional(),
});

const Certificate = z.object({
  /** What `op=get` serves. */
  armor: z.string(),
  /** User ids and subkeys of which only a revocation has come: packets in base64 that are not served. */
  withheld: z.string().optional(),
  /** 40 or 64 lower-case hex digits. */
  fingerprint: z.string(),
  algorithm: z.number(),
  bits: z.number(),
  /** Unix seconds, like all times here but those that say otherwise. */
  created: z.number(),
  expires: z.number().optional(),
  /** The same of one that is not revoked: whose end matters. It is in the index of those that expire. */
  expiring: z.number().optional(),
  revoked: z.boolean(),
  /** Never beside others in one answer: gpg 2.4 would drop all of them (keystore contract §2.3). */
  alone: z.boolean().optional(),
  userIds: z.array(StoredUserId),
  subkeys: z.array(z.string()),
  /** Every handle under which it is found, for taking back those that go. None while it is not served. */
  handles: z.array(z.string()),
  /** The first accounts that brought something of it. */
  contributors: z.array(Party).optional(),
  /** The account that proved last that it has the primary key. */
  owner: Party.optional(),
  /** SHA-256 of the user ids that its owner hides: they are left out, whoever brings them. */
  hidden: z.array(z.string()).optional(),
  /** ISO. */
  updatedAt: z.string(),
  /** Account that brought the last change. */
  updatedBy: z.string(),
});
export type StoredCertificate = z.infer<typeof Certificate>;

export type CertificateIndex = 'byFingerprint' | 'byExpiry';
export const CERTIFICATES = {
  name: 'certificates',
  schema: Certificate,
  indexes: {
    byFingerprint: { fields: ['fingerprint'] },
    byExpiry: { fields: ['expiring', 'fingerprint'] },
  },
} as const satisfies CollectionSpec<StoredCertificate>;

const HandleDocument = z.object({ handle: z.string(), place: z.number(), fingerprint: z.string() });
export type HandleDocument = z.infer<typeof HandleDocument>;
export type HandleIndex = 'byHandle';
export const HANDLES = {
  name: 'handles',
  schema: HandleDocument,
  indexes: { byHandle: { fields: ['handle', 'place', 'fingerprint'] } },
} as const satisfies CollectionSpec<HandleDocument>;

/** Those of one certificate lie beside each other, so that a change touches few pages of the database. */
export const handleId = (handle: string, fingerprint: string): string => `${fingerprint} ${handle}`;

/** That an account brought or owns a certificate: for its own list of what expires. */
const Holding = z.object({ account: z.string(), fingerprint: z.string(), expiring: z.number().optional() });
export type Holding = z.infer<typeof Holding>;
export type HoldingIndex = 'byExpiry' | 'byFingerprint';
export const HOLDINGS = {
  name: 'holdings',
  schema: Holding,
  indexes: {
    byExpiry: { fields: ['account', 'expiring', 'fingerprint'] },
    byFingerprint: { fields: ['fingerprint', 'account'] },
  },
} as const satisfies CollectionSpec<Holding>;

export const holdingId = (account: string, fingerprint: string): string => `${account} ${fingerprint}`;

/** That an account was told of the end of a certificate: one for both, of the last day at which it was. */
const Notice = z.object({
  account: z.string(),
  fingerprint: z.string(),
  /** The end that it is about, Unix seconds. */
  expires: z.number(),
  days: z.number().int(),
  /** ISO. */
  at: z.string(),
  acknowledged: z.boolean(),
});
export type Notice = z.infer<typeof Notice>;
export type NoticeIndex = 'byAccount' | 'byEnd';
export const NOTICES = {
  name: 'notices',
  schema: Notice,
  indexes: {
    byAccount: { fields: ['account', 'at', 'fingerprint'] },
    byEnd: { fields: ['expires'] },
  },
} as const satisfies CollectionSpec<Notice>;

/** What the feed says of a certificate: one entry for each that ever changed, which moves to the end when it changes again. */
const ChangeDocument = z.object({
  sequence: z.number().int(),
  fingerprint: z.string(),
  /** What it is now. `removed`: it is not served, also when only all its user ids are hidden. */
  state: z.enum(['present', 'revoked', 'removed']),
  /** ISO. */
  at: z.string(),
});
export type ChangeDocument = z.infer<typeof ChangeDocument>;
export type ChangeIndex = 'bySequence';
export const CHANGES = {
  name: 'changes',
  schema: ChangeDocument,
  indexes: { bySequence: { fields: ['sequence'], unique: true } },
} as const satisfies CollectionSpec<ChangeDocument>;

/** The highest sequence number. Its revision changes with everything that a change of a certificate must not miss. */
const Counter = z.object({
  head: z.number().int(),
  /** How many certificates there are. A database that was made before they were counted does not say. */
  keys: z.number().int().optional(),
});
export type Counter = z.infer<typeof Counter>;
export const COUNTERS = {
  name: 'counters',
  schema: Counter,
  indexes: {},
} as const satisfies CollectionSpec<Counter>;
export const CHANGES_COUNTER = 'changes';

/** A key that may not come again, by the hash of its fingerprint: who reads this does not learn which keys were here. */
const Block = z.object({
  hash: z.string(),
  /** ISO. */
  since: z.string(),
});
export type Block = z.infer<typeof Block>;
export type BlockIndex = 'bySince';
export const BLOCKED = {
  name: 'blocked',
  schema: Block,
  indexes: { bySince: { fields: ['since', 'hash'] } },
} as const satisfies CollectionSpec<Block>;
