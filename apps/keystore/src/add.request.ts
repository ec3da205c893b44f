import type { IncomingHttpHeaders } from 'node:http';
import { DomainError, expected } from '#libs/core';

const FORM = 'application/x-www-form-urlencoded';
const PARTS = 'multipart/form-data';
const RAW = ['application/pgp-keys', 'application/pgp'];
const FIELD = 'keytext';

/**
 * The keys in an upload (keystore contract §1.9): the first field `keytext` of a form, or the raw body.
 * @returns armored text or binary packets
 * @throws DomainError `unsupported_media_type` for other content types and for compressed bodies, `bad_request` without keys
 */
export async function keysOf(headers: IncomingHttpHeaders, body: Buffer): Promise<string | Uint8Array> {
  const header = headers['content-type'] ?? '';
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity')
    throw new DomainError(
      'unsupported_media_type',
      expected('a body that is not compressed', 'Content-Encoding', encoding),
    );
  const keys = await read(header, body);
  if (keys === undefined || (typeof keys === 'string' ? keys.trim() : keys).length === 0)
    throw new DomainError('bad_request', `Expected a key in the field ${FIELD}, or as the body`);
  return keys;
}

async function read(header: string, body: Buffer): Promise<string | Uint8Array | undefined> {
  const type = header.split(';')[0]?.trim().toLowerCase() ?? '';
  if (RAW.includes(type)) return textOrPackets(body);
  if (type === FORM) return new URLSearchParams(body.toString('latin1')).get(FIELD) ?? undefined;
  if (type === PARTS) return partOf(header, body);
  throw new DomainError(
    'unsupported_media_type',
    expected(`${FORM}, ${PARTS} or ${RAW[0]}`, 'Content-Type', type),
  );
}

/** Node knows how to read a form of parts (RFC 7578). */
async function partOf(header: string, body: Buffer): Promise<string | Uint8Array | undefined> {
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': header } })
    .formData()
    .catch((cause: unknown) => {
      throw new DomainError('bad_request', `Expected a form of the type ${PARTS}`, { cause });
    });
  const part = form.get(FIELD);
  if (part === null || typeof part === 'string') return part ?? undefined;
  return textOrPackets(Buffer.from(await part.arrayBuffer()));
}

/** Armor may stand behind other text, as far as it is looked for. */
const textOrPackets = (bytes: Buffer): string | Uint8Array =>
  bytes.subarray(0, 4096).includes('-----BEGIN') ? bytes.toString('latin1') : bytes;
