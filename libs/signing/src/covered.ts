import { typeText, type Descriptor, type SifImage } from '#libs/sif';
import { dataCompromised, hexDigest, type DataDigests } from './digest.js';
import { failed } from './fault.js';
import { descriptorIntegrityBytes, headerIntegrityBytes, relativeIdOf, smallestIdOf } from './integrity.js';
import { parseSignedMetadata, type SignedObject } from './metadata.js';
import type { Task } from './task.js';

export interface CoverageCheck {
  readonly image: SifImage;
  readonly task: Task;
  readonly digests: DataDigests;
  /** The metadata that was signed. */
  readonly text: Buffer;
  /** Gets every object that is good, as it is found. */
  readonly verified: Descriptor[];
  /** Gets every object that the signer did not name. */
  readonly leftOut: Descriptor[];
}

/**
 * Compares the image with what a signer said about it (SIF contract §2.7 d–i): the same objects, header, and for each
 * object descriptor and data.
 * @throws VerificationFailure at the first difference
 */
export async function checkCovered(check: CoverageCheck): Promise<void> {
  const { image, task, digests, text, verified } = check;
  const metadata = parseSignedMetadata(text);
  const smallest = smallestIdOf(image, task.group);
  const signed = new Map(
    [...metadata.objects].map(([relativeId, object]) => [(smallest + relativeId) >>> 0, object]),
  );
  const leftOut = task.objects.filter(({ id }) => !signed.has(id));
  check.leftOut.push(...leftOut);
  checkSameObjects(task, signed, leftOut);
  if (hexDigest(metadata.header.algorithm, headerIntegrityBytes(image.header)) !== metadata.header.hex)
    throw failed('header_compromised', 'header integrity compromised');
  for (const object of task.objects) {
    const claim = signed.get(object.id);
    if (claim === undefined) throw notSigned(object);
    const bytes = descriptorIntegrityBytes(object, relativeIdOf(image, object));
    if (hexDigest(claim.descriptor.algorithm, bytes) !== claim.descriptor.hex)
      throw failed('descriptor_compromised', `data object descriptor integrity compromised: ${object.id}`, {
        objectId: object.id,
      });
    if ((await digests.digest(object, claim.data.algorithm)) !== claim.data.hex)
      throw dataCompromised(object.id);
    verified.push(object);
  }
}

/** A signature of a group must name all its objects and no others; one that is asked for an object must name that. */
function checkSameObjects(
  task: Task,
  signed: ReadonlyMap<number, SignedObject>,
  leftOut: readonly Descriptor[],
): void {
  const [first] = leftOut;
  if (first !== undefined) throw notSigned(first);
  if (task.form === 'object') return;
  const present = new Set(task.objects.map(({ id }) => id));
  for (const id of signed.keys())
    if (!present.has(id))
      throw failed('signed_object_not_found', `object ${id}: signed object not found`, { objectId: id });
}

const notSigned = (object: Descriptor) =>
  failed('object_not_signed', `object ${object.id}: object not signed`, {
    objectId: object.id,
    detail: typeText(object),
  });
