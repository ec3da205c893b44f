import { createHash, createPublicKey, verify } from 'node:crypto';
import { Cursor } from '../packets/cursor.js';
import type { Packet } from '../packets/reader.js';
import type { Signed } from './components.js';
import { hashedData, padded } from './hashed.js';

/*
 * ECDSA over curves that OpenPGP.js leaves to a package that is not ours: Node knows them. What is hashed is that of RFC 9580 §5.2.4.
 */

const ECDSA = 19;
/** Bytes of a coordinate, by the OID of the curve in hex: secp256k1 and the Brainpool curves. */
const CURVES: Readonly<Record<string, number>> = {
  '2b8104000a': 32,
  '2b2403030208010107': 32,
  '2b240303020801010b': 48,
  '2b240303020801010d': 64,
};
/** Names of hashes by their number; MD5 and RIPEMD-160 are not among them. */
const HASHES: Readonly<Record<number, string>> = {
  2: 'sha1',
  8: 'sha256',
  9: 'sha384',
  10: 'sha512',
  11: 'sha224',
};

interface CurveKey {
  readonly oid: Buffer;
  readonly point: Buffer;
  readonly size: number;
}

/** The key in a packet, if it is one of these curves. @throws DomainError for a broken packet */
export function readCurveKey({ body }: Packet): CurveKey | undefined {
  const cursor = new Cursor(body);
  cursor.take(5);
  if (cursor.number(1) !== ECDSA) return undefined;
  const oid = Buffer.from(cursor.take(cursor.number(1)));
  const size = CURVES[oid.toString('hex')];
  return size === undefined ? undefined : { oid, size, point: Buffer.from(cursor.mpi()) };
}

/** Whether the key made this version 4 signature over `signed`. @throws for what is broken */
export function verifyOnCurve(key: CurveKey, body: Uint8Array, signed: Signed): boolean {
  const cursor = new Cursor(body);
  const [, , algorithm, hash] = cursor.take(4);
  const name = HASHES[hash ?? 0];
  if (algorithm !== ECDSA || name === undefined) return false;
  cursor.take(cursor.number(2));
  const head = body.subarray(0, body.length - cursor.left);
  cursor.take(cursor.number(2));
  const left = cursor.take(2);
  const numbers = [padded(cursor.mpi(), key.size), padded(cursor.mpi(), key.size)];
  const data = hashedData(signed, head);
  const digest = createHash(name).update(data).digest();
  if (digest[0] !== left[0] || digest[1] !== left[1]) return false;
  const publicKey = createPublicKey({ key: spki(key), format: 'der', type: 'spki' });
  return verify(name, data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, Buffer.concat(numbers));
}

/** SubjectPublicKeyInfo (RFC 5480 §2) around the point. */
function spki({ oid, point }: CurveKey): Buffer {
  const ecPublicKey = Buffer.from('2a8648ce3d0201', 'hex');
  const algorithm = der(0x30, der(0x06, ecPublicKey), der(0x06, oid));
  return der(0x30, algorithm, der(0x03, Buffer.from([0]), point));
}

function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const length = content.length < 128 ? [content.length] : [0x81, content.length];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}
