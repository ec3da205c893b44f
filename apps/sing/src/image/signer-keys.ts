import { printable, type Surroundings } from '#libs/cli';
import { DomainError, messageOf } from '#libs/core';
import type { VerifyResult } from '#libs/signing';
import { openKeyRing } from '../key/ring.js';
import type { Session } from '../session.js';

/** Somebody who signed an image, and whether others find the key. */
export interface SignerKey {
  readonly fingerprint: string;
  readonly userId: string;
  /** Whether the keystore of the remote has the public key; null where that could not be found out. */
  readonly inKeystore: boolean | null;
  /** It was pushed just now. */
  readonly keyPushed: boolean;
}

/**
 * Looks whether the keystore of a remote has the keys of those who signed an image that goes there, so that whoever pulls it can
 * verify it; and pushes those that it does not have, from the own key ring.
 * @param withKey push them without a question; otherwise a person at a terminal is asked, and nobody else
 * @throws DomainError when a key that is to be pushed for sure cannot be
 */
export async function shareSignerKeys(
  place: Surroundings,
  session: Session,
  signatures: VerifyResult['signatures'],
  { withKey }: { readonly withKey: boolean },
): Promise<readonly SignerKey[]> {
  const signers = new Map(signatures.flatMap(({ signer }) => (signer ? [[signer.fingerprint, signer]] : [])));
  const shared: SignerKey[] = [];
  for (const { fingerprint, userId } of signers.values()) {
    const inKeystore = await isThere(place, session, fingerprint);
    const signer = { fingerprint, userId, inKeystore, keyPushed: false };
    if (inKeystore === false && (await push(place, session, signer, withKey)))
      shared.push({ ...signer, inKeystore: true, keyPushed: true });
    else {
      if (inKeystore === true)
        place.log.info(`Others find the key of ${titleOf(signer)} in the keystore of ${session.remote.name}`);
      shared.push(signer);
    }
  }
  return shared;
}

type Signer = Pick<SignerKey, 'fingerprint' | 'userId'>;

const titleOf = ({ userId, fingerprint }: Signer): string => `${printable(userId)}, ${fingerprint}`;

/** Whether the key is there; null after a warning when the keystore does not say. */
async function isThere(place: Surroundings, session: Session, fingerprint: string): Promise<boolean | null> {
  try {
    const keystore = await session.keystore();
    return (await keystore.get(`0x${fingerprint.toLowerCase()}`, { signal: place.signal })) !== undefined;
  } catch (error) {
    place.signal.throwIfAborted();
    if (!(error instanceof DomainError)) throw error;
    place.log.warning(
      `Whether the keystore of ${session.remote.name} has the key ${fingerprint} is not known: ${messageOf(error)}`,
    );
    return null;
  }
}

/** @returns whether it was pushed */
async function push(
  place: Surroundings,
  session: Session,
  signer: Signer,
  withKey: boolean,
): Promise<boolean> {
  const missing = `The keystore of ${session.remote.name} does not have the key of ${titleOf(signer)}: others cannot verify the image`;
  const key = await ownKey(place, signer.fingerprint);
  if (key === undefined) {
    if (withKey) {
      throw new DomainError('not_found', missing, {
        reason: 'no_public_key',
        remedy: `It is not in your key ring either. Import it first: sing key import FILE`,
      });
    }
    place.log.warning(missing, `Ask its owner to push it: sing key push ${signer.fingerprint}`);
    return false;
  }
  if (!withKey && !(await wanted(place, missing))) {
    place.log.warning(missing, `Push it: sing key push ${signer.fingerprint}, or sing push --with-key`);
    return false;
  }
  const keystore = await session.keystore();
  await keystore.add(key, { signal: place.signal }).catch((error: unknown) => {
    throw notPushed(error, signer);
  });
  place.log.info(`Public key of ${titleOf(signer)} pushed.`);
  return true;
}

/** Asks a person at a terminal; there is nobody to ask elsewhere. */
async function wanted({ prompts }: Surroundings, missing: string): Promise<boolean> {
  try {
    return await prompts.confirm({ message: `${missing}. Push it?`, flag: '--with-key' });
  } catch (error) {
    if (error instanceof DomainError && error.reason === 'not_a_terminal') return false;
    throw error;
  }
}

/** Armored; undefined when the own key ring does not have it. */
async function ownKey(place: Surroundings, fingerprint: string): Promise<string | undefined> {
  const { armorKey, fingerprintOf } = await import('#libs/pgp');
  const keys = await (await openKeyRing(place)).keys('public');
  const key = keys.find((one) => fingerprintOf(one) === fingerprint);
  return key && armorKey(key);
}

function notPushed(error: unknown, { fingerprint }: Signer): unknown {
  if (!(error instanceof DomainError)) return error;
  return new DomainError(
    error.code,
    `The key ${fingerprint} was not pushed, and no image: ${error.message}`,
    {
      reason: error.reason,
      cause: error,
      remedy:
        error.code === 'forbidden'
          ? 'Your token may not write to the keystore (keystore:write). Push the image without --with-key.'
          : (error.remedy ?? 'Push the image without --with-key.'),
    },
  );
}
