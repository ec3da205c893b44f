import type { Descriptor, SifImage } from '#libs/sif';
import { hexDigest, parseDigest, type DataDigests, type SignedDigest } from './digest.js';
import { failed } from './fault.js';
import { descriptorIntegrityBytes, headerIntegrityBytes, relativeIdOf, smallestIdOf } from './integrity.js';

/** What a signer said about an image: read from the signed bytes, and from nothing else. */
export interface SignedMetadata {
  readonly header: SignedDigest;
  /** By relative id; of several entries with the same one the first counts. */
  readonly objects: ReadonlyMap<number, SignedObject>;
}

export interface SignedObject {
  readonly descriptor: SignedDigest;
  readonly data: SignedDigest;
}

/**
 * The JSON text that is signed for objects of a group: white space and the order of keys are part of the format (SIF
 * contract §2.3).
 * @param objects of one group, ascending by id
 */
export async function signedMetadataText(
  image: SifImage,
  group: number,
  objects: readonly Descriptor[],
  digests: DataDigests,
): Promise<string> {
  const smallest = smallestIdOf(image, group);
  const entries: unknown[] = [];
  for (const object of objects) {
    const descriptor = descriptorIntegrityBytes(object, relativeIdOf(image, object));
    entries.push({
      relativeId: object.id - smallest,
      descriptorDigest: `sha256:${hexDigest('sha256', descriptor)}`,
      objectDigest: `sha256:${await digests.digest(object, 'sha256')}`,
    });
  }
  const header = { digest: `sha256:${hexDigest('sha256', headerIntegrityBytes(image.header))}` };
  return JSON.stringify({ version: 1, header, objects: entries });
}

/**
 * Reads signed metadata as tolerantly as the stock tools: any version number, unknown members, member names in other case,
 * any order (SIF contract §2.3).
 * @throws VerificationFailure when something needed is missing or malformed
 */
export function parseSignedMetadata(text: Buffer): SignedMetadata {
  let json: unknown;
  try {
    json = JSON.parse(text.toString('utf8'));
  } catch (cause) {
    throw failed('metadata_malformed', 'signed metadata malformed: it is no JSON', { cause });
  }
  const header = parseDigest(member(member(json, 'header'), 'digest'));
  const list = member(json, 'objects') ?? [];
  if (!Array.isArray(list)) throw malformed('a list of objects');
  const objects = new Map<number, SignedObject>();
  for (const entry of list as unknown[]) {
    const relativeId = member(entry, 'relativeId') ?? 0;
    if (typeof relativeId !== 'number' || !Number.isInteger(relativeId) || relativeId >>> 0 !== relativeId)
      throw malformed('a number for relativeId');
    const object = {
      descriptor: parseDigest(member(entry, 'descriptorDigest')),
      data: parseDigest(member(entry, 'objectDigest')),
    };
    if (!objects.has(relativeId)) objects.set(relativeId, object);
  }
  return { header, objects };
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) throw malformed('an object');
  const entries = Object.entries(value);
  const exact = entries.find(([key]) => key === name);
  const other = entries.find(([key]) => key.toLowerCase() === name.toLowerCase());
  return (exact ?? other)?.[1];
}

const malformed = (what: string) =>
  failed('metadata_malformed', `signed metadata malformed: Expected ${what}`);
