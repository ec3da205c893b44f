import { createHash, hash } from 'node:crypto';
import { digestOf, objectProblem, openObject, type Descriptor, type SifImage } from '#libs/sif';
import { failed } from './fault.js';

/** Digest algorithms of signed metadata and what Node calls them (SIF contract §2.3). */
const ALGORITHMS = new Map([
  ['sha224', 'sha224'],
  ['sha256', 'sha256'],
  ['sha384', 'sha384'],
  ['sha512', 'sha512'],
  ['sha512_224', 'sha512-224'],
  ['sha512_256', 'sha512-256'],
]);

/** A digest as signed metadata writes it. */
export interface SignedDigest {
  /** Node's name. */
  readonly algorithm: string;
  /** Lower-case hex. */
  readonly hex: string;
}

/**
 * Reads `alg:hex`.
 * @throws VerificationFailure `hash algorithm unavailable` without text, `hash algorithm unsupported`, `digest malformed`
 */
export function parseDigest(text: unknown): SignedDigest {
  if (text === undefined || text === '') throw failed('metadata_malformed', 'hash algorithm unavailable');
  const [name, hex, ...rest] = typeof text === 'string' ? text.split(':') : [];
  if (name === undefined || hex === undefined || rest.length > 0)
    throw failed('metadata_malformed', 'digest malformed');
  const algorithm = ALGORITHMS.get(name);
  if (algorithm === undefined) throw failed('metadata_malformed', 'hash algorithm unsupported');
  const length = hash(algorithm, '', 'hex').length;
  if (hex.length !== length || !/^[0-9a-fA-F]*$/.test(hex))
    throw failed('metadata_malformed', 'digest malformed');
  return { algorithm, hex: hex.toLowerCase() };
}

/** Digest of bytes in memory, as hex. */
export function hexDigest(algorithm: string, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex');
}

/**
 * Data digests of one image. Every range is read once per algorithm, however many signatures cover it: signatures cost
 * nothing when the data is large.
 */
export class DataDigests {
  readonly #image: SifImage;
  readonly #signal: AbortSignal | undefined;
  readonly #known = new Map<string, Promise<string>>();
  /** What outlives this verification. */
  readonly #kept: Map<string, string>;

  constructor(
    image: SifImage,
    {
      signal,
      digests = new Map(),
    }: { readonly signal?: AbortSignal; readonly digests?: Map<string, string> } = {},
  ) {
    this.#image = image;
    this.#signal = signal;
    this.#kept = digests;
  }

  /**
   * Digest of an object's data as hex.
   * @throws VerificationFailure `data object integrity compromised` when the data is not in the file
   */
  async digest(descriptor: Descriptor, algorithm: string): Promise<string> {
    const problem = objectProblem(this.#image, descriptor);
    if (problem !== undefined) throw dataCompromised(descriptor.id, problem);
    const key = `${algorithm}:${descriptor.offset}:${descriptor.size}`;
    const known = this.#known.get(key) ?? this.#compute(key, descriptor, algorithm);
    this.#known.set(key, known);
    return known;
  }

  async #compute(key: string, descriptor: Descriptor, algorithm: string): Promise<string> {
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const digest = await digestOf(openObject(this.#image, descriptor), algorithm, this.#signal);
    this.#kept.set(key, digest);
    return digest;
  }
}

/** The data of an object is not what was signed. */
export function dataCompromised(objectId: number, detail?: string) {
  return failed('data_compromised', `data object integrity compromised: ${objectId}`, {
    objectId,
    ...(detail === undefined ? {} : { detail }),
  });
}
