import { DomainError } from '#libs/core';
import { type PgpKey, readArmor, readKey, verifyClearSigned } from '#libs/pgp';

/**
 * Checks that the primary key of a certificate has clear-signed a text. A signing subkey proves it only where the primary key may do
 * nothing but certify: whoever has a subkey, on a build machine for example, need not have the key. A certificate whose user ids are
 * all hidden can be proved as well, or who hides them would keep it for ever.
 * @throws DomainError `unprocessable` for another signer, a bad signature, an expired or revoked key
 */
export async function requireSignedByPrimary(armor: string, signed: string, now: Date): Promise<void> {
  const [bytes] = readArmor(armor);
  if (bytes === undefined) throw new Error('a stored certificate is empty');
  const key = await readKey(bytes);
  const { signer } = await verifyClearSigned(Buffer.from(signed), async () => [key], now, {
    nameless: true,
  });
  if (signer.keyId !== primaryId(key) && (await primarySigns(key, now)))
    throw new DomainError('unprocessable', 'Expected a signature of the primary key, got one of a subkey', {
      reason: 'signed_by_subkey',
      remedy:
        'Sign with the primary key: gpg --local-user FINGERPRINT! --clearsign (with the exclamation mark)',
    });
}

const primaryId = ({ key }: PgpKey): string => key.getKeyID().toHex().toUpperCase();

async function primarySigns({ key }: PgpKey, now: Date): Promise<boolean> {
  try {
    await key.getSigningKey(key.getKeyID(), now);
    return true;
  } catch {
    return false;
  }
}
