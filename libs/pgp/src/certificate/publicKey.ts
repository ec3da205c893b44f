import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Curve } from '../packets/curves.js';
import type { Material } from '../packets/material.js';

/** The key of a packet as Node takes it; undefined for one that only encrypts. @throws for points that are on no curve */
export function publicKeyOf(material: Material): KeyObject | undefined {
  switch (material.kind) {
    case 'rsa':
      return fromJwk({ kty: 'RSA', n: base64(material.n), e: base64(material.e) });
    case 'dsa':
      return fromDer(dsaInfo(material));
    case 'point':
      return fromDer(pointInfo(material.curve, material.point));
    case 'ed25519':
      return fromJwk({ kty: 'OKP', crv: 'Ed25519', x: base64(material.point) });
    case 'ed448':
      return fromJwk({ kty: 'OKP', crv: 'Ed448', x: base64(material.point) });
    case 'other':
      return undefined;
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

const fromJwk = (key: Record<string, string>): KeyObject => createPublicKey({ format: 'jwk', key });
const fromDer = (key: Buffer): KeyObject => createPublicKey({ format: 'der', type: 'spki', key });

const EC_PUBLIC_KEY = Buffer.from('2a8648ce3d0201', 'hex');
const DSA = Buffer.from('2a8648ce380401', 'hex');

/** SubjectPublicKeyInfo around a point (RFC 5480 §2). */
function pointInfo({ oid }: Curve, point: Uint8Array): Buffer {
  const algorithm = der(0x30, der(0x06, EC_PUBLIC_KEY), der(0x06, Buffer.from(oid, 'hex')));
  return der(0x30, algorithm, bitString(point));
}

/** SubjectPublicKeyInfo with domain parameters (RFC 3279 §2.3.2). */
function dsaInfo({ p, q, g, y }: Material & { kind: 'dsa' }): Buffer {
  const algorithm = der(0x30, der(0x06, DSA), der(0x30, integer(p), integer(q), integer(g)));
  return der(0x30, algorithm, bitString(integer(y)));
}

const bitString = (content: Uint8Array): Buffer => der(0x03, Buffer.of(0), content);
/** Positive: the first bit would be a sign. @param digits without leading zeros */
const integer = (digits: Uint8Array): Buffer =>
  der(0x02, (digits[0] ?? 0) > 0x7f ? Buffer.of(0) : Buffer.alloc(0), digits);

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const header = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...header), content]);
}
