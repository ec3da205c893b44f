import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/*
 * Certificates as gpg makes them today (version 4, an Ed25519 key that signs and a Curve25519 subkey that encrypts, one user id),
 * written octet by octet (RFC 9580 §5.2, §5.5): each has keys, signatures and a fingerprint of its own and verifies. By a library a
 * hundred thousand of them would take minutes.
 */

const FIRST = Date.UTC(2024, 0, 1) / 1000;
/** Certificates that share the numbers of their primary key; their times of creation, and so their fingerprints, differ. */
const OF_ONE_PAIR = 100;
const ED25519 = Buffer.from('092b06010401da470f01', 'hex');
const CURVE25519 = Buffer.from('0a2b060104019755010501', 'hex');
/** SHA-256 and AES-128, to wrap session keys with. */
const KDF = Buffer.of(3, 1, 8, 7);
const SHA256 = 8;
const [EDDSA, ECDH] = [22, 18];
const [CERTIFICATION, BINDING] = [0x13, 0x18];
const [CREATED, PREFERRED, ISSUER_ID, FLAGS, FEATURES, ISSUER] = [2, 11, 16, 27, 30, 33];

/** Given names: one of 256 keys has each. The families are in all of them. */
const GIVEN = 256;

/**
 * @param count how many; the first ones are the same people whatever the count is
 * @returns one after the other: the packets, and what the certificate is found by (hexadecimal digits are lower case)
 */
export function* certificates(count, { from = 0 } = {}) {
  let pair;
  for (let index = from; index < from + count; index += 1) {
    if (pair === undefined || index % OF_ONE_PAIR === 0) pair = generateKeyPairSync('ed25519');
    yield certificate(pair, index);
  }
}

function certificate({ publicKey, privateKey }, index) {
  const created = FIRST + index;
  const point = Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url');
  const primary = keyBody(created, EDDSA, ED25519, point);
  const subkey = keyBody(created, ECDH, CURVE25519, randomBytes(32), KDF);
  const email = `person${index}@example.org`;
  const words = { common: 'person', given: `given${index % GIVEN}`, rare: `number${index}` };
  const userId = Buffer.from(`Person ${words.given} ${words.rare} <${email}>`);
  const fingerprint = fingerprintOf(primary);
  const signer = { privateKey, fingerprint, created };
  const certified = [hashedKey(primary), Buffer.of(0xb4), uint(userId.length, 4), userId];
  const bound = [hashedKey(primary), hashedKey(subkey)];
  const bytes = Buffer.concat([
    packet(6, primary),
    packet(13, userId),
    packet(
      2,
      signature(signer, CERTIFICATION, certified, [
        [FLAGS, [3]],
        [PREFERRED, [9, 8, 7]],
        [FEATURES, [1]],
      ]),
    ),
    packet(14, subkey),
    packet(2, signature(signer, BINDING, bound, [[FLAGS, [12]]])),
  ]);
  return { bytes, fingerprint, subkey: fingerprintOf(subkey), email, words };
}

function keyBody(created, algorithm, curve, point, rest = Buffer.alloc(0)) {
  const native = mpi(Buffer.concat([Buffer.of(0x40), point]));
  return Buffer.concat([Buffer.of(4), uint(created, 4), Buffer.of(algorithm), curve, native, rest]);
}

function signature({ privateKey, fingerprint, created }, type, signed, said) {
  const issuer = Buffer.from(`04${fingerprint}`, 'hex');
  const hashed = area([[CREATED, uint(created, 4)], [ISSUER, issuer], ...said]);
  const unhashed = area([[ISSUER_ID, issuer.subarray(-8)]]);
  const head = Buffer.concat([Buffer.of(4, type, EDDSA, SHA256), uint(hashed.length, 2), hashed]);
  const trailer = Buffer.concat([Buffer.of(4, 0xff), uint(head.length, 4)]);
  const digest = createHash('sha256')
    .update(Buffer.concat([...signed, head, trailer]))
    .digest();
  const value = sign(null, digest, privateKey);
  return Buffer.concat([
    head,
    uint(unhashed.length, 2),
    unhashed,
    digest.subarray(0, 2),
    mpi(value.subarray(0, 32)),
    mpi(value.subarray(32)),
  ]);
}

const area = (subpackets) =>
  Buffer.concat(subpackets.map(([kind, content]) => Buffer.of(content.length + 1, kind, ...content)));
const hashedKey = (body) => Buffer.concat([Buffer.of(0x99), uint(body.length, 2), body]);
const fingerprintOf = (body) => createHash('sha1').update(hashedKey(body)).digest('hex');

/** Bodies here are shorter than 192 octets, whose length is one octet. */
const packet = (tag, body) => Buffer.concat([Buffer.of(0xc0 | tag, body.length), body]);

const uint = (value, size) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.subarray(4 - size);
};

/** A number as OpenPGP writes it: how many bits, and no leading zeros. */
function mpi(bytes) {
  const digits = bytes.subarray(bytes.findIndex((octet) => octet !== 0));
  return Buffer.concat([uint(digits.length * 8 - Math.clz32(digits[0]) + 24, 2), digits]);
}
