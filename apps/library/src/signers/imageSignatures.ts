import type { SignatureState } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { describeKey, type PgpKey } from '#libs/pgp';
import {
  DataType,
  type Descriptor,
  linkOf,
  objectsOfType,
  type ReadAccess,
  readSif,
  signatureOf,
} from '#libs/sif';
import {
  type FailureReason,
  goodSigners,
  type KeySource,
  type SignatureReport,
  verifyImage,
  type VerifyResult,
} from '#libs/signing';
import { LIMITS } from '../limits.js';
import type { SignatureRecord, SignedImageDocument } from './documents.store.js';

/** What looking at the signatures of an image has shown. */
export interface Findings extends Pick<SignedImageDocument, 'signatures' | 'signers' | 'digests'> {
  /** False: the keystore did not answer for every key, and what is missing may still come. */
  readonly complete: boolean;
}

export interface FindingsOptions {
  /** Armored certificates by `0x` and a key id; throws when the keystore cannot be asked. */
  readonly keys: (search: string) => Promise<readonly PgpKey[]>;
  readonly clock: Clock;
  /** Digests of the same bytes, from before. */
  readonly digests?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const NOTHING = { signatures: [], signers: [], digests: {}, complete: true } as const satisfies Findings;
/** What the bytes do not agree with, whoever signed. */
const CHANGED: ReadonlySet<FailureReason> = new Set([
  'object_not_signed',
  'signed_object_not_found',
  'header_compromised',
  'descriptor_compromised',
  'data_compromised',
  'fingerprint_mismatch',
]);
/** What no signature can be good with. */
const WHOLE: ReadonlySet<FailureReason> = new Set(['no_groups', 'no_objects', 'ungrouped_object']);

/**
 * Looks at each signature of an image by itself. What is not to be had of the file is no error: an image that is broken, or has more
 * signatures than anybody makes, has no signers.
 */
export async function examineSignatures(
  source: Pick<ReadAccess, 'size' | 'readInto'>,
  { keys, clock, digests = {}, signal }: FindingsOptions,
): Promise<Findings> {
  const seen = new SeenKeys(keys);
  const known = new Map(Object.entries(digests));
  const access = bounded(source);
  try {
    const descriptors = objectsOfType(await readSif(access), DataType.signature);
    if (descriptors.length > LIMITS.signaturesPerImage) return NOTHING;
    const result = await verifyImage(access, {
      pgp: [seen],
      clock,
      everySignature: true,
      digests: known,
      ...(signal === undefined ? {} : { signal }),
    });
    const now = clock.now();
    const signatures: SignatureRecord[] = [];
    for (const descriptor of descriptors) signatures.push(await recordOf(descriptor, { result, seen, now }));
    const signers = goodSigners(result).everything.map((fingerprint) =>
      signerOf(fingerprint.toLowerCase(), signatures),
    );
    return { signatures, signers, digests: kept(known), complete: !seen.failed };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof DomainError && HOPELESS.has(error.code)) return NOTHING;
    throw error;
  }
}

function signerOf(fingerprint: string, signatures: readonly SignatureRecord[]): Findings['signers'][number] {
  const ends = signatures
    .filter((one) => one.fingerprint === fingerprint && one.state === 'good')
    .flatMap(({ until }) => (until === undefined ? [] : Date.parse(until)));
  return { fingerprint, ...(ends.length === 0 ? {} : { until: Math.min(...ends) }) };
}

const HOPELESS: ReadonlySet<string> = new Set(['unprocessable', 'bad_request']);

interface Looked {
  readonly result: VerifyResult;
  readonly seen: SeenKeys;
  readonly now: Date;
}

async function recordOf(descriptor: Descriptor, { result, seen, now }: Looked): Promise<SignatureRecord> {
  const link = linkOf(descriptor);
  const fingerprint = claimOf(descriptor);
  const report = result.signatures.find(({ signatureId }) => signatureId === descriptor.id);
  const key = fingerprint === undefined ? undefined : await seen.known(fingerprint, now);
  return {
    id: descriptor.id,
    ...(link?.kind === 'group' ? { group: link.id } : {}),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    state: report === undefined ? unseen(result) : stateOf(report, key, now),
    ...(report?.signer === undefined ? {} : { signedAt: report.signer.signedAt.toISOString() }),
    ...(key?.until === undefined ? {} : { until: key.until.toISOString() }),
  };
}

/** Of a signature that was not come to: something is wrong with the image as a whole, or it is of another kind. */
function unseen({ signatures, failure }: VerifyResult): SignatureState {
  return signatures.length === 0 && failure !== undefined && WHOLE.has(failure.reason) ? 'changed' : 'other';
}

function stateOf({ failure, kind }: SignatureReport, key: KnownKey | undefined, now: Date): SignatureState {
  if (kind !== 'pgp') return 'other';
  if (failure === undefined) return 'good';
  if (CHANGED.has(failure.reason)) return 'changed';
  if (key === undefined) return 'key_unknown';
  if (key.revoked) return 'key_revoked';
  return key.until !== undefined && key.until <= now ? 'key_expired' : 'bad';
}

/** Which key a signature names: the fingerprint of a primary key, lower-case. */
function claimOf(descriptor: Descriptor): string | undefined {
  try {
    const { entity } = signatureOf(descriptor);
    return entity.length === 0 ? undefined : entity.toString('hex');
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}

interface KnownKey {
  readonly revoked: boolean;
  /** When it cannot sign any more. */
  readonly until: Date | undefined;
}

/** Asks for keys, and remembers what came: a signature that is not good says of its key only that it could not be used. */
class SeenKeys implements KeySource {
  readonly origin = 'remote';
  failed = false;
  readonly #ask: FindingsOptions['keys'];
  readonly #keys: PgpKey[] = [];
  /** Of primary keys and subkeys that signed something. */
  readonly #ids = new Set<string>();

  constructor(ask: FindingsOptions['keys']) {
    this.#ask = ask;
  }

  async find(keyId: string): Promise<readonly PgpKey[]> {
    // A signature may name several keys, and an image has many signatures: nobody is asked for hundreds.
    if (this.#ids.size >= LIMITS.signaturesPerImage) return [];
    this.#ids.add(keyId);
    try {
      const keys = await this.#ask(`0x${keyId.toLowerCase()}`);
      this.#keys.push(...keys);
      return keys;
    } catch (error) {
      this.failed = true;
      throw error;
    }
  }

  async known(fingerprint: string, now: Date): Promise<KnownKey | undefined> {
    for (const key of this.#keys) {
      const info = await describeKey(key, now);
      if (info.fingerprint.toLowerCase() !== fingerprint) continue;
      const parts = [info, ...info.subkeys.filter(({ keyId }) => this.#ids.has(keyId))];
      const ends = parts.flatMap(({ expires }) => expires ?? []);
      return {
        revoked: parts.some(({ revoked }) => revoked),
        until: ends.toSorted((a, b) => a.getTime() - b.getTime())[0],
      };
    }
    return undefined;
  }
}

/** The same bytes, and not more of them than an honest image makes anybody read: objects may lie on top of each other. */
function bounded(source: Pick<ReadAccess, 'size' | 'readInto'>): ReadAccess {
  let left = source.size * LIMITS.readsPerSignedImage + LIMITS.signatureBytes;
  return {
    size: source.size,
    readInto: async (into, offset) => {
      left -= into.byteLength;
      if (left < 0)
        throw new DomainError('unprocessable', 'The signatures cover the same bytes too often', {
          reason: 'signatures_too_expensive',
        });
      return source.readInto(into, offset);
    },
  };
}

function kept(digests: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...digests].slice(0, LIMITS.digestsPerImage));
}
