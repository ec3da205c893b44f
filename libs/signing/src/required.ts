import { DomainError } from '#libs/core';
import { objectsOfType, signatureOf, DataType, type SifImage } from '#libs/sif';
import { signersOf } from './coverage.js';
import { failureError } from './fault.js';
import type { VerifyResult } from './result.js';

/** Fingerprints as people write them: blanks and colons between the digits, `0x` in front, any case. @returns upper-case hex */
export function readFingerprints(text: string): string[] {
  return text
    .split(',')
    .map((one) => one.replaceAll(/[\s:]/g, '').replace(/^0x/i, '').toUpperCase())
    .filter((one) => one !== '');
}

/**
 * Why an image does not count as signed by all of some people: it does not verify, or one of them did not sign all of it ("all
 * fingerprints must have signed every group", SIF contract §2.11). Undefined: it does. The one rule for builds and for execution
 * control.
 * @param result of the whole image, read through the very file that will be used
 * @param fingerprints whole ones of primary keys, upper-case hexadecimal; ids are no proof of anybody
 */
export function requiredSignersError(
  result: VerifyResult,
  fingerprints: readonly string[],
): DomainError | undefined {
  const wrong = fingerprints.find((one) => !/^[0-9A-F]{40}$/.test(one));
  if (wrong !== undefined)
    return new DomainError('bad_request', `Expected a whole fingerprint of 40 digits, got ${wrong}`, {
      reason: 'bad_fingerprint',
      exitCode: 255,
      remedy: 'See it with: sing verify IMAGE, or sing key list',
    });
  if (result.failure !== undefined) return failureError(result.failure, 'while checking fingerprint');
  const { everything } = signersOf(result);
  const missing = fingerprints.filter((one) => !everything.includes(one));
  if (missing.length === 0) return undefined;
  return new DomainError(
    'unprocessable',
    'while checking fingerprint: image not signed by required entities',
    {
      reason: 'required_signers_missing',
      exitCode: 255,
      remedy: `Not signed, or not all of it, by: ${missing.join(', ')}`,
    },
  );
}

/** How many signatures of one image are looked at. */
const MOST_CLAIMS = 64;

/**
 * Fingerprints that the signatures of an image claim, lower-case hex, each once: hints for listings, and no proof of anything
 * (SIF contract §2.11). Who really signed is for {@link signersOf}.
 */
export function claimedSigners(image: SifImage): string[] {
  const claims = objectsOfType(image, DataType.signature)
    .slice(0, MOST_CLAIMS)
    .map((signature) => signatureOf(signature).entity)
    .filter((entity) => entity.length > 0);
  return [...new Set(claims.map((entity) => entity.toString('hex')))];
}
