import type { IncomingHttpHeaders } from 'node:http';
import { DomainError, expected } from '#libs/core';
import { formField, formPart } from './form.js';

const FORM = 'application/x-www-form-urlencoded';
const PARTS = 'multipart/form-data';
const RAW = ['application/pgp-keys', 'application/pgp'];
const FIELD = 'keytext';

/**
 * The keys in an upload (keystore contract §1.9): the first field `keytext` of a form, or the raw body.
 * @param body changed: what is returned lies in it
 * @returns armored text or binary packets
 * @throws DomainError `unsupported_media_type` for other content types and for compressed bodies, `bad_request` without keys
 */
export function keysOf(headers: IncomingHttpHeaders, body: Buffer): Buffer {
  const header = headers['content-type'] ?? '';
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity')
    throw new DomainError(
      'unsupported_media_type',
      expected('a body that is not compressed', 'Content-Encoding', encoding),
    );
  const keys = read(header, body);
  if (keys === undefined || isBlank(keys))
    throw new DomainError('bad_request', `Expected a key in the field ${FIELD}, or as the body`);
  return keys;
}

function read(header: string, body: Buffer): Buffer | undefined {
  const type = header.split(';')[0]?.trim().toLowerCase() ?? '';
  if (RAW.includes(type)) return body;
  if (type === FORM) return formField(body, FIELD);
  if (type === PARTS) return formPart(header, body, FIELD);
  throw new DomainError(
    'unsupported_media_type',
    expected(`${FORM}, ${PARTS} or ${RAW[0]}`, 'Content-Type', type),
  );
}

/** Blank, tab, newline, carriage return. */
const isBlank = (bytes: Buffer): boolean =>
  bytes.every((octet) => octet === 0x20 || octet === 0x09 || octet === 0x0a || octet === 0x0d);
