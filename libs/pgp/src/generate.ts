import { expected, type Clock } from '#libs/core';
import { pgpError } from './fault.js';
import { isSecret, readKey, reasonOf, type PgpKey } from './key.js';
import { PGP_LIMITS } from './limits.js';
import { loadOpenPgp, signConfig } from './openpgp.js';

export type KeyAlgorithm = 'rsa4096' | 'rsa3072' | 'rsa2048' | 'ed25519';

export interface KeyOptions {
  readonly name: string;
  readonly email: string;
  readonly comment?: string;
  /** Locks the secret key; an empty one leaves it open. */
  readonly passphrase: string;
  readonly algorithm: KeyAlgorithm;
  readonly clock: Clock;
}

/**
 * Makes a key that signs and certifies, with a subkey for encryption. Ed25519 keys have the form that gpg 2.4 and the
 * other programs of the field read (version 4, legacy algorithm number).
 * @throws DomainError when name, email or comment cannot stand in a user id
 */
export async function generateKey(options: KeyOptions): Promise<PgpKey> {
  const userID = userIdOf(options);
  const openpgp = await loadOpenPgp();
  const kind =
    options.algorithm === 'ed25519'
      ? ({ type: 'ecc', curve: 'ed25519Legacy' } as const)
      : ({ type: 'rsa', rsaBits: Number(options.algorithm.slice(3)) } as const);
  const { privateKey } = await openpgp.generateKey({
    ...kind,
    userIDs: [userID],
    date: options.clock.now(),
    format: 'binary',
    config: signConfig(openpgp),
    ...(options.passphrase === '' ? {} : { passphrase: options.passphrase }),
  });
  return readKey(privateKey);
}

function userIdOf({ name, email, comment }: KeyOptions): { name: string; email: string; comment?: string } {
  if (!/^[^\p{Cc}<>()@]{1,}$/u.test(name.trim()))
    throw badUserId('a name without control characters, <, >, (, ) and @', 'the name', name);
  if (!/^[^\s\p{Cc}<>()@]+@[^\s\p{Cc}<>()@]+$/u.test(email))
    throw badUserId('an address like user@example.org', 'the email', email);
  if (comment !== undefined && !/^[^\p{Cc}<>()]*$/u.test(comment))
    throw badUserId('text without control characters, <, >, ( and )', 'the comment', comment);
  const length = Buffer.byteLength(`${name} (${comment ?? ''}) <${email}>`);
  if (length > PGP_LIMITS.userIdBytes)
    throw badUserId(`at most ${PGP_LIMITS.userIdBytes} bytes`, 'name, comment and email', `${length} bytes`);
  return { name: name.trim(), email, ...(comment === undefined || comment === '' ? {} : { comment }) };
}

const badUserId = (what: string, name: string, got: string) =>
  pgpError('pgp_bad_user_id', expected(what, name, got));

/** True for a secret key that needs its passphrase before it can sign. */
export function isLocked(key: PgpKey): boolean {
  return isSecret(key) && !key.key.isDecrypted();
}

/**
 * A secret key ready to sign, for this process only: its bytes stay the locked ones, so it cannot be stored open by
 * mistake.
 * @throws DomainError `pgp_wrong_passphrase`, `pgp_not_secret`
 */
export async function unlockKey(key: PgpKey, passphrase: string): Promise<PgpKey> {
  if (!isSecret(key)) throw pgpError('pgp_not_secret', 'Expected a secret key, got a public one');
  if (!isLocked(key)) return key;
  const openpgp = await loadOpenPgp();
  try {
    return { bytes: key.bytes, key: await openpgp.decryptKey({ privateKey: key.key, passphrase }) };
  } catch (cause) {
    throw pgpError('pgp_wrong_passphrase', `The secret key cannot be unlocked: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

/**
 * A secret key locked with another passphrase, or open with an empty one.
 * @throws DomainError as `unlockKey`
 */
export async function changePassphrase(key: PgpKey, from: string, to: string): Promise<PgpKey> {
  const open = await unlockKey(key, from);
  if (!isSecret(open)) throw pgpError('pgp_not_secret', 'Expected a secret key, got a public one');
  if (to === '') return readKey(open.key.write());
  const openpgp = await loadOpenPgp();
  const locked = await openpgp.encryptKey({ privateKey: open.key, passphrase: to });
  return readKey(locked.write());
}
