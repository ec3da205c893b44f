import { randomBytes } from 'node:crypto';
import { compactDecrypt, CompactEncrypt } from 'jose';
import { z } from 'zod';
import { OrganisationRole } from '#libs/contract';

const Roles = z.record(z.string(), OrganisationRole);
/** Roles by the name of the organisation. */
export type Roles = Readonly<z.infer<typeof Roles>>;

const ALGORITHM = { alg: 'dir', enc: 'A128GCM' } as const;

/** A key that opens the roles of one account in the feed: 128 bits, 22 characters of base64url. */
export function newRolesKey(): string {
  return randomBytes(16).toString('base64url');
}

/**
 * Roles as the feed carries them (a compact JWE). Everybody may read the feed; only who holds a token of the account, that is
 * the services that are asked with it, can open its roles. No roles need no seal: undefined.
 */
export async function sealRoles(key: string, roles: Roles): Promise<string | undefined> {
  if (Object.keys(roles).length === 0) return undefined;
  return new CompactEncrypt(Buffer.from(JSON.stringify(roles)))
    .setProtectedHeader(ALGORITHM)
    .encrypt(Buffer.from(key, 'base64url'));
}

/** What {@link sealRoles} sealed. @throws Error when it was another key, or is none of ours */
export async function openRoles(key: string, sealed: string): Promise<Roles> {
  const { plaintext } = await compactDecrypt(sealed, Buffer.from(key, 'base64url'), {
    keyManagementAlgorithms: [ALGORITHM.alg],
    contentEncryptionAlgorithms: [ALGORITHM.enc],
  });
  return Roles.parse(JSON.parse(Buffer.from(plaintext).toString('utf8')));
}
