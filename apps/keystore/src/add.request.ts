import { DomainError, expected } from '#libs/core';

const FORM = 'application/x-www-form-urlencoded';
const RAW = ['application/pgp-keys', 'application/pgp'];

/**
 * The keys in a request to `/pks/add` (keystore contract §1.9): a form field `keytext`, or the raw body.
 * @throws DomainError `unsupported_media_type` for other content types, `bad_request` without `keytext`
 */
export function keysOf(contentType: string | undefined, body: Buffer): string | Uint8Array {
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (RAW.includes(type)) return isArmored(body) ? body.toString('latin1') : body;
  if (type !== FORM)
    throw new DomainError('unsupported_media_type', expected(`${FORM} or ${RAW[0]}`, 'Content-Type', type));
  const keytext = new URLSearchParams(body.toString('latin1')).get('keytext');
  if (keytext === null || keytext.trim() === '')
    throw new DomainError('bad_request', 'Expected a key in the field keytext');
  return keytext;
}

const isArmored = (body: Buffer): boolean => body.subarray(0, 4096).includes('-----BEGIN');
