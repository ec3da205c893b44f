import { z } from 'zod';
import { OrganisationName } from './accounts.js';
import { envelope } from './envelope.js';
import { Time } from './shapes.js';

const Certificate = z.object({ version: z.number().int(), fingerprint: z.string() });

/** `POST /pks/add` with `Accept: application/json` (keystore contract §1.9). */
export const KeyAddAnswer = z.object({
  inserted: z.array(Certificate),
  updated: z.array(Certificate),
  deleted: z.array(Certificate),
  /** Already stored with the same content. */
  ignored: z.array(Certificate),
  invalid: z.array(z.object({ comment: z.string() })),
});
export type KeyAddAnswer = z.infer<typeof KeyAddAnswer>;

/** A certificate in JSON: `GET /pks/v2/index/…`, and `op=index&options=json` (keystore contract §1.12). Times are RFC 3339. */
export const KeyListing = z.array(
  z.object({
    version: z.number().int(),
    /** Lower-case hex. */
    fingerprint: z.string(),
    algorithm: z.object({ code: z.number().int(), name: z.string(), bitLength: z.number().int() }),
    creation: z.string(),
    expiration: z.string().optional(),
    isRevoked: z.boolean(),
    userIDs: z.array(z.object({ uidString: z.string(), creation: z.string(), isRevoked: z.boolean() })),
    subkeys: z.array(Certificate),
  }),
);
export type KeyListing = z.infer<typeof KeyListing>;

/** `GET /pks/stats`, `op=stats`: what the keystore takes and lets ask. */
export const KeystoreStats = z.object({
  software: z.string(),
  version: z.string(),
  /** Who may look keys up. */
  reads: z.enum(['everybody', 'token']),
  /** What is taken without a token. */
  anonymous: z.enum(['nothing', 'revocations', 'updates']),
  /** How often: uploads in an hour for an account, searches and fetched keys in a second for an address. */
  rates: z.object({ addsPerHour: z.number(), searchesPerSecond: z.number(), getsPerSecond: z.number() }),
  /** Bytes, and certificates of one upload. */
  limits: z.object({ uploadBytes: z.number(), certificateBytes: z.number(), certificates: z.number() }),
});
export type KeystoreStats = z.infer<typeof KeystoreStats>;

/** Where the keystore answers besides HKP (ADR 14). */
export const KEYSTORE_PATHS = {
  keys: '/v1/keys',
  changes: '/v1/keys/changes',
  events: '/v1/keys/events',
  expiring: '/v1/keys/expiring',
  blocked: '/v1/keys/blocked',
  keyrings: '/v1/keyrings',
} as const;

export const KEYSTORE_LIMITS = {
  /** Fingerprints of one question about changes. */
  fingerprints: 100,
  /** Entries of one page. */
  page: 500,
  /** User ids that one certificate hides. */
  hidden: 100,
  /** Characters of a clear-signed challenge. */
  signed: 32 * 1024,
  days: 3650,
} as const;

const HEX = /^(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/;
/** The fingerprint of a primary key, of version 4 or 6, without `0x`; lower case afterwards. */
export const KeyFingerprint = z
  .string()
  .regex(HEX, { error: 'Expected 40 or 64 hexadecimal digits for a fingerprint' })
  .transform((text) => text.toLowerCase());

/** SHA-256, hexadecimal. */
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** What a certificate is now. `removed`: it is not served, whatever became of it. */
export const KeyState = z.enum(['present', 'revoked', 'removed']);
export type KeyState = z.infer<typeof KeyState>;

/** One entry of the feed: what became of a certificate. There is one for each that ever changed, with the number of its last change. */
export const KeyChange = z.object({
  sequence: z.number().int().positive(),
  /** Lower case. */
  fingerprint: z.string(),
  state: KeyState,
  time: Time,
});
export type KeyChange = z.infer<typeof KeyChange>;

/** Fingerprints that are separated by commas, or given one by one. */
const Fingerprints = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => [given].flat().flatMap((text) => text.split(',')))
  .pipe(z.array(KeyFingerprint).min(1).max(KEYSTORE_LIMITS.fingerprints));

/** `GET /v1/keys/changes`: what changed after a number, or what is known of some certificates. */
export const KeyChangesQuery = z.object({
  after: z.coerce.number().int().nonnegative().default(0),
  fingerprint: Fingerprints.optional(),
  limit: z.coerce.number().int().min(1).max(KEYSTORE_LIMITS.page).default(KEYSTORE_LIMITS.page),
});
export type KeyChangesQuery = z.infer<typeof KeyChangesQuery>;

export const KeyChangesAnswer = envelope(
  z.object({
    /** In the order of their numbers. */
    changes: z.array(KeyChange),
    /** What to ask after next time. */
    next: z.number().int().nonnegative(),
    /** Whether there is more already. */
    more: z.boolean(),
  }),
);
export type KeyChangesAnswer = z.infer<typeof KeyChangesAnswer>;

/** `GET /v1/keys/events`: `Last-Event-ID` says the same, and wins. Without either only what is still to come. */
export const KeyEventsQuery = z.object({ after: z.coerce.number().int().nonnegative().optional() });
export type KeyEventsQuery = z.infer<typeof KeyEventsQuery>;

const Party = z.object({ username: z.string(), since: Time });

/** What is known of a certificate besides its packets. */
export const KeyRecord = z.object({
  /** Lower case. */
  fingerprint: z.string(),
  state: KeyState,
  createdAt: Time,
  expiresAt: Time.nullable(),
  userIds: z.array(
    z.object({
      text: z.string(),
      /** SHA-256 of its bytes: by this it is hidden. */
      hash: Sha256,
      revoked: z.boolean(),
      /** Its address is that of an account that brought or owns the key: a badge, no proof of identity. */
      confirmed: z.boolean(),
    }),
  ),
  /** Whether somebody has proved that they have the primary key. */
  owned: z.boolean(),
  /** How many accounts brought something of it, as far as they are remembered. */
  contributors: z.number().int(),
  /** What the caller is to it. */
  role: z.enum(['owner', 'contributor', 'none']),
  /** For whoever owns or brought it, and administrators: names, and what is hidden. */
  details: z
    .object({ owner: Party.nullable(), contributors: z.array(Party), hidden: z.array(Sha256) })
    .optional(),
});
export type KeyRecord = z.infer<typeof KeyRecord>;
export const KeyRecordAnswer = envelope(KeyRecord);

/** `POST /v1/keys/{fingerprint}/challenge`: a text to be clear-signed with the primary key. */
export const KeyChallengeAnswer = envelope(z.object({ text: z.string(), expiresAt: Time }));
export type KeyChallenge = z.infer<typeof KeyChallengeAnswer>['data'];

/** `POST /v1/keys/{fingerprint}/claim`: the challenge, clear-signed. */
export const KeyClaimRequest = z.object({ signed: z.string().min(1).max(KEYSTORE_LIMITS.signed) });
export type KeyClaimRequest = z.infer<typeof KeyClaimRequest>;

/** `PUT /v1/keys/{fingerprint}/hidden`: everything that is hidden from now on. */
export const KeyHiddenRequest = z.object({ hashes: z.array(Sha256).max(KEYSTORE_LIMITS.hidden) });
export type KeyHiddenRequest = z.infer<typeof KeyHiddenRequest>;

/**
 * `DELETE /v1/keys/{fingerprint}`. `contribution_removed`: others brought something of it too, or somebody owns it, so it stays.
 * `revocation_kept`: only the primary key and what revokes it stay.
 */
export const KeyRemovedAnswer = envelope(
  z.object({
    fingerprint: z.string(),
    outcome: z.enum(['removed', 'revocation_kept', 'contribution_removed']),
  }),
);
export type KeyRemoved = z.infer<typeof KeyRemovedAnswer>['data'];

/** A key that may not come (again): the SHA-256 of its fingerprint in lower-case hexadecimal. */
export const BlockedKey = z.object({ hash: Sha256, since: Time });
export type BlockedKey = z.infer<typeof BlockedKey>;
export const BlockedKeyAnswer = envelope(BlockedKey);
export const BlockedKeysAnswer = envelope(z.array(BlockedKey));

/** `GET /v1/keys/expiring`: keys that end within so many days, the first to end first. `all`: everybody's, for administrators. */
export const ExpiringKeysQuery = z.object({
  within: z.coerce.number().int().min(1).max(KEYSTORE_LIMITS.days).default(30),
  all: z.enum(['true', 'false']).default('false'),
  limit: z.coerce.number().int().min(1).max(KEYSTORE_LIMITS.page).default(100),
  cursor: z.string().max(1000).optional(),
});
export type ExpiringKeysQuery = z.infer<typeof ExpiringKeysQuery>;

export const ExpiringKey = z.object({
  fingerprint: z.string(),
  expiresAt: Time,
  userIds: z.array(z.string()),
  /** The user name of the account that has proved to have it. */
  owner: z.string().nullable(),
});
export type ExpiringKey = z.infer<typeof ExpiringKey>;
export const ExpiringKeysAnswer = envelope(z.array(ExpiringKey));

/** Days before the end of a key at which somebody is told. */
export const NOTICE_DAYS = [30, 7, 0] as const;

/** That a key ends soon, or has ended: for its owner, or while nobody owns it for whoever brought it. One for each key. */
export const KeyNotice = z.object({
  fingerprint: z.string(),
  userIds: z.array(z.string()),
  expiresAt: Time,
  /** Which of {@link NOTICE_DAYS} was reached. */
  days: z.number().int(),
  /** When that was noticed. */
  since: Time,
  /** Whether the account has said that it knows; not any more when the next day is reached. */
  acknowledged: z.boolean(),
});
export type KeyNotice = z.infer<typeof KeyNotice>;
/** `PUT /v1/keys/notices/{fingerprint}` acknowledges one. */
export const KeyNoticeAnswer = envelope(KeyNotice);
/** `GET /v1/keys/notices`, newest first; a page may have fewer than its limit. */
export const KeyNoticesAnswer = envelope(z.array(KeyNotice));

/** `GET /v1/keyrings/{organisation}.asc`. */
export const KeyringFile = z
  .string()
  .max(60)
  .regex(/\.asc$/, { error: 'Expected the name of an organisation with .asc behind it' })
  .transform((text) => text.slice(0, -4))
  .pipe(OrganisationName);

/** A key in the keyring of an organisation. */
export const KeyringEntry = z.object({
  organisation: OrganisationName,
  fingerprint: z.string(),
  username: z.string(),
  since: Time,
});
export type KeyringEntry = z.infer<typeof KeyringEntry>;
export const KeyringEntryAnswer = envelope(KeyringEntry);

/** What can be wrong between certificates and what leads to them. */
export const KeyProblemKind = z.enum([
  /** The certificate cannot be read: nothing can repair it but a copy. */
  'unreadable',
  /** What is kept beside the certificate is not what it says. */
  'outdated',
  'handle_missing',
  /** It leads to the certificate in another order. */
  'handle_wrong',
  /** It leads to a certificate that is not there, or does not belong to it. */
  'handle_stray',
  'holder_missing',
  'holder_stray',
  /** The feed does not have it, or says something else. */
  'change_wrong',
]);
export type KeyProblemKind = z.infer<typeof KeyProblemKind>;

export const KeyProblem = z.object({
  kind: KeyProblemKind,
  fingerprint: z.string(),
  /** The handle or the account. */
  what: z.string().optional(),
  repaired: z.boolean(),
});
export type KeyProblem = z.infer<typeof KeyProblem>;

/** `POST /v1/keys/check`, for administrators: one part after the other, until there is no cursor. */
export const KeyCheckRequest = z.object({
  repair: z.boolean().default(false),
  cursor: z.string().max(2000).optional(),
});
export type KeyCheckRequest = z.infer<typeof KeyCheckRequest>;

export const KeyCheckAnswer = envelope(
  z.object({
    /** How many were looked at in this part. */
    certificates: z.number().int(),
    handles: z.number().int(),
    problems: z.array(KeyProblem),
  }),
);
export type KeyCheckPart = z.infer<typeof KeyCheckAnswer>['data'];

/** `GET /v1/keys/export`, for administrators: all certificates that are served, by fingerprint. */
export const KeyExportQuery = z.object({
  limit: z.coerce.number().int().min(1).max(KEYSTORE_LIMITS.page).default(KEYSTORE_LIMITS.page),
  cursor: z.string().max(1000).optional(),
});
export type KeyExportQuery = z.infer<typeof KeyExportQuery>;
export const KeyExportAnswer = envelope(z.array(z.object({ fingerprint: z.string(), armor: z.string() })));

/** `POST /v1/keys/import`, for administrators: certificates as binary packets, one after the other. */
export const KEY_IMPORT_LIMITS = {
  /** Bytes of one request, and certificates in it. */
  bytes: 4 * 1024 * 1024,
  certificates: 500,
} as const;

export const KeyImportAnswer = envelope(
  z.object({
    inserted: z.number().int(),
    updated: z.number().int(),
    unchanged: z.number().int(),
    refused: z.array(
      z.object({
        /** Of the certificate in the request, from 0. */
        index: z.number().int(),
        /** Empty where even that cannot be read. */
        fingerprint: z.string(),
        message: z.string(),
      }),
    ),
  }),
);
export type KeyImported = z.infer<typeof KeyImportAnswer>['data'];
