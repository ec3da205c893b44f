import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ScsConfig } from '#libs/config';
import { DomainError, systemCode } from '#libs/core';

/**
 * The authority that clients of this instance have to trust, in PEM.
 * @throws DomainError `not_found` where the certificate comes from an authority that everybody trusts
 */
export async function readAuthority(config: ScsConfig): Promise<string> {
  const file = config.tls.caFile;
  if (file === undefined) throw none();
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw systemCode(error) === 'ENOENT' ? none() : error;
  }
}

/** SHA-256 of the first certificate, in the form of openssl; undefined where there is none. */
export async function authorityFingerprint(config: ScsConfig): Promise<string | undefined> {
  try {
    return new X509Certificate(await readAuthority(config)).fingerprint256;
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}

function none(): DomainError {
  return new DomainError('not_found', 'This instance has no certificate authority of its own');
}
