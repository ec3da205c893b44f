import { imageWarnings, unusedBytes, type SifImage, type UnusedBytes } from '#libs/sif';
import type { SignatureReport } from './result.js';

/**
 * What speaks for a change of the image where no signature covers it (SIF contract §2.12): fields that contradict each
 * other, objects younger than their signatures, data that belongs to no object. None of it makes a signature bad; one
 * sentence each.
 */
export async function outsideWarnings(
  image: SifImage,
  signatures: readonly SignatureReport[],
  signal?: AbortSignal,
): Promise<string[]> {
  const { found, unread } = await unusedBytes(image, signal === undefined ? {} : { signal });
  return [
    ...imageWarnings(image),
    ...youngerWarnings(signatures),
    ...unusedWarnings(found),
    ...(unread === 0
      ? []
      : [`${unread} bytes of the file belong to no object and were not looked at: they are too many`]),
  ];
}

const PLACES: Record<UnusedBytes['where'], string> = {
  'header gap': 'between header and table',
  'free descriptor': 'in a free descriptor',
  'between objects': 'between objects',
  'behind the objects': 'behind the last object',
};

function unusedWarnings(found: readonly UnusedBytes[]): string[] {
  return found.map(
    ({ from, to, where }) =>
      `The bytes ${from} to ${to}, ${PLACES[where]}, hold data that belongs to no object: ` +
      'what was left of a deleted one, or something hidden',
  );
}

/** A signer's clock and that of whoever made the image may differ a little. */
const TOLERANCE_SECONDS = 300n;

/** The time of modification is not signed, but the time of an OpenPGP signature is. */
function youngerWarnings(signatures: readonly SignatureReport[]): string[] {
  return signatures.flatMap(({ signer, verified, signatureId }) => {
    if (signer === undefined) return [];
    const signedAt = BigInt(Math.floor(signer.signedAt.getTime() / 1000));
    return verified
      .filter(({ modifiedAt }) => modifiedAt > signedAt + TOLERANCE_SECONDS)
      .map(({ id }) => `Object ${id} says that it was modified after signature ${signatureId} was made`);
  });
}
