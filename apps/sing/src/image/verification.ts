import type { Surroundings } from '#libs/cli';
import { systemClock } from '#libs/core';
import type { KeySource, Selection, VerifyResult } from '#libs/signing';
import { openKeyRing } from '../key/ring.js';
import { withKeystore } from '../key/server.js';

export interface VerifyRequest extends Selection {
  /** Absolute path of the image. */
  readonly path: string;
  /** Keys of the own ring only: no request leaves the machine. */
  readonly local: boolean;
  /** Another key server than that of the remote. */
  readonly url?: string | undefined;
  /** PEM public key for signatures made with one; OpenPGP signatures are then not looked at. */
  readonly publicKey?: string | undefined;
  /** Also look for what no signature covers: see `VerifyOptions`. */
  readonly outside?: boolean;
}

/** Verifies an image with the keys of the own ring and, unless it is to stay local, of the key server. */
export async function verifyFile(place: Surroundings, request: VerifyRequest): Promise<VerifyResult> {
  const { path, local, url, publicKey, ...selection } = request;
  const [{ verifyImage, readPublicKey }, { withSifFile }] = await Promise.all([
    import('#libs/signing'),
    import('#libs/sif'),
  ]);
  const { signal } = place;
  const keys =
    publicKey === undefined
      ? { pgp: [await ringSource(place), ...(local ? [] : [serverSource(place, url)])] }
      : { dsse: [readPublicKey(publicKey)] };
  const result = await withSifFile(path, (access) =>
    verifyImage(access, { ...selection, ...keys, clock: systemClock, signal }),
  );
  for (const warning of result.warnings) place.log.warning(warning);
  return result;
}

async function ringSource(place: Surroundings): Promise<KeySource> {
  const ring = await openKeyRing(place);
  return { origin: 'local', find: (keyId) => ring.publicKeysById(keyId) };
}

/** "Lookup order at verify: … local ring, then key server … The key is not stored" (SIF contract §2.9). */
function serverSource(place: Surroundings, url: string | undefined): KeySource {
  return {
    origin: 'remote',
    find: (keyId) =>
      withKeystore(place, url, async (keystore) => {
        const { readKeys } = await import('#libs/pgp');
        const answer = await keystore.get(`0x${keyId.toLowerCase()}`, { signal: place.signal });
        return answer === undefined ? [] : readKeys(answer);
      }),
  };
}
