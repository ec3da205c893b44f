import { z } from 'zod';

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
