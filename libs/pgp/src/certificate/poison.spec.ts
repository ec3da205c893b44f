import { ManualClock } from '#libs/core';
import * as openpgp from 'openpgp';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Packet, readPackets } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';
import { CREATED as made, mpi as mpiOf, Owner } from '../testing/maker.js';
import {
  type Certificate,
  cleanCertificate,
  mergeCertificates,
  readArmor,
  splitCertificates,
  summarise,
  writeCertificate,
} from './index.js';

/* What somebody who has no secret key can do with the certificate of somebody else: nothing that lasts. */

const CREATED = new Date('2026-01-01T00:00:00Z');
const clock = new ManualClock('2026-06-01T00:00:00Z');

interface Made {
  readonly key: openpgp.PrivateKey;
  readonly packets: Packet[];
}

async function make(name: string, curve: openpgp.EllipticCurveName = 'ed25519Legacy'): Promise<Made> {
  const { privateKey } = await openpgp.generateKey({
    userIDs: [{ name, email: `${name}@example.org` }],
    type: 'ecc',
    curve,
    date: CREATED,
    subkeys: [{ sign: true }, {}],
    format: 'object',
    config: { v6Keys: false },
  });
  const [block] = readArmor(privateKey.toPublic().armor());
  if (block === undefined) throw new Error('no block');
  return { key: privateKey, packets: readPackets(block) };
}

async function clean(packets: readonly Packet[]): Promise<Certificate> {
  const [raw] = splitCertificates(packets);
  if (raw === undefined) throw new Error('no certificate');
  return cleanCertificate(raw, clock);
}

let ann: Made;
let mallory: Made;
let right: Buffer;
beforeAll(async () => {
  ann = await make('ann');
  mallory = await make('mallory');
  right = writeCertificate(await clean(ann.packets));
});

interface Parts {
  readonly head: Buffer;
  readonly unhashed: Buffer;
  readonly value: Buffer;
}

/** Every signature packet taken apart, changed and put together again. */
function changed(change: (parts: Parts) => Partial<Parts>): Packet[] {
  return ann.packets.map((packet) => {
    if (packet.tag !== Tag.signature) return packet;
    const bytes = Buffer.from(packet.body);
    const at = 6 + bytes.readUInt16BE(4);
    const end = at + 2 + bytes.readUInt16BE(at);
    const parts = {
      head: bytes.subarray(0, at),
      unhashed: bytes.subarray(at + 2, end),
      value: bytes.subarray(end),
    };
    const { head, unhashed, value } = { ...parts, ...change(parts) };
    const size = Buffer.alloc(2);
    size.writeUInt16BE(unhashed.length);
    return { ...packet, body: Buffer.concat([head, size, unhashed, value]) };
  });
}

/** The first number of a signature, written with so many zero bytes before it and as many bits as that has room for. */
function longer(value: Buffer, zeros: number): Buffer {
  const length = Math.ceil(value.readUInt16BE(2) / 8);
  const bits = Buffer.alloc(2);
  bits.writeUInt16BE((length + zeros) * 8);
  return Buffer.concat([value.subarray(0, 2), bits, Buffer.alloc(zeros), value.subarray(4)]);
}

const junk = (type: number, bytes: number): Buffer =>
  Buffer.concat([
    Buffer.from([255, 0, 0, (bytes + 1) >> 8, (bytes + 1) & 0xff, type]),
    Buffer.alloc(bytes, 1),
  ]);

describe('what no signature covers', () => {
  it.each<[string, (parts: Parts) => Partial<Parts>]>([
    ['without who made it', ({ unhashed }) => (isBack(unhashed) ? {} : { unhashed: Buffer.alloc(0) })],
    ['with junk', ({ unhashed }) => ({ unhashed: Buffer.concat([unhashed, junk(100, 5000)]) })],
    [
      'with something like a back-signature',
      ({ unhashed }) => ({ unhashed: Buffer.concat([unhashed, junk(32, 5000)]) }),
    ],
    [
      'with a back-signature of nobody first',
      ({ unhashed }) => ({ unhashed: Buffer.concat([junk(32, 50), unhashed]) }),
    ],
    ['with another count of bits', ({ value }) => ({ value: longer(value, 0) })],
    ['with zeros before a number', ({ value }) => ({ value: longer(value, 2) })],
  ])('makes no other certificate: signatures %s are the same', async (_, change) => {
    const other = await clean(changed(change));
    expect(writeCertificate(other).equals(right)).toBe(true);
    expect(writeCertificate(mergeCertificates(await clean(ann.packets), other)).equals(right)).toBe(true);
  });

  it('is no place for more: a signature with bytes behind it is none', async () => {
    const stuffed = changed(({ value }) => ({ value: Buffer.concat([value, Buffer.alloc(10)]) }));
    await expect(clean(stuffed)).rejects.toThrow('no user id');
  });

  it('always says who made a signature, for programs that look for it there', async () => {
    const keyId = Buffer.from(ann.key.getKeyID().toHex(), 'hex');
    const issuer = Buffer.concat([Buffer.from([9, 16]), keyId]);
    const signatures = readPackets(right).filter(({ tag }) => tag === Tag.signature);
    expect(signatures.map(({ body }) => Buffer.from(body).includes(issuer))).toEqual(
      signatures.map(() => true),
    );
  });

  function isBack(unhashed: Buffer): boolean {
    return unhashed.length > 40;
  }
});

describe('a signature that anybody can make another one of', () => {
  /** The order of NIST P-256: with the second number taken from it a signature is as good. */
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const owner = new Owner('nistP256');
  const [userId, one] = owner.userId('Ann') as [Packet, Packet];
  const body = Buffer.from(one.body);
  // Of two numbers of 32 octets each, or a little less; the second one is the last.
  const first = Math.ceil(body.readUInt16BE(bodyEnd(body)) / 8);
  const at = bodyEnd(body) + 2 + first;
  const negated = (order - BigInt(`0x${body.subarray(at + 2).toString('hex')}`))
    .toString(16)
    .padStart(64, '0');
  const other = { ...one, body: Buffer.concat([body.subarray(0, at), mpiOf(Buffer.from(negated, 'hex'))]) };

  it('is one signature, and the same whichever came first', async () => {
    const [a, b] = [await clean([owner.primary, userId, one]), await clean([owner.primary, userId, other])];
    expect(writeCertificate(a).equals(writeCertificate(b))).toBe(false);
    const merged = [
      mergeCertificates(a, b),
      mergeCertificates(b, a),
      await clean([owner.primary, userId, one, other]),
      await clean([owner.primary, userId, other, one]),
    ].map((whole) => writeCertificate(whole).toString('hex'));
    expect(new Set(merged).size).toBe(1);
    expect(readPackets(Buffer.from(merged[0] ?? '', 'hex'))).toHaveLength(3);
  });

  /** Where the numbers of a signature of version 4 begin. */
  function bodyEnd(bytes: Buffer): number {
    const hashed = 6 + bytes.readUInt16BE(4);
    return hashed + 2 + bytes.readUInt16BE(hashed) + 2;
  }
});

describe('a subkey of somebody else', () => {
  type Sign = { sign(...parameters: unknown[]): Promise<void> };

  /** A signature packet; the types do not know the last parameter of `sign`, without which it fails. */
  async function signed(
    type: openpgp.enums.signature,
    key: unknown,
    data: object,
    flags?: number,
    embedded?: openpgp.SignaturePacket,
  ) {
    if (!(key instanceof openpgp.SecretKeyPacket || key instanceof openpgp.SecretSubkeyPacket))
      throw new Error('no secret key');
    const signature = new openpgp.SignaturePacket();
    signature.signatureType = type;
    signature.publicKeyAlgorithm = key.algorithm;
    signature.hashAlgorithm = openpgp.enums.hash.sha256;
    if (flags !== undefined) signature.keyFlags = new Uint8Array([flags]);
    if (embedded !== undefined) signature.embeddedSignature = embedded;
    await (signature as unknown as Sign).sign(key, data, CREATED, false, openpgp.config);
    return signature;
  }

  /** Mallory's certificate with a signing subkey of Ann, and a binding that says so. */
  async function adopting(flags: number | undefined, embedded?: openpgp.SignaturePacket): Promise<Packet[]> {
    const own = mallory.key.keyPacket;
    const data = { key: own, bind: ann.key.subkeys[0]?.keyPacket };
    const binding = await signed(openpgp.enums.signature.subkeyBinding, own, data, flags, embedded);
    const theirs = ann.packets.filter(({ tag }) => tag === Tag.publicSubkey).slice(0, 1);
    return [...mallory.packets, ...theirs, { tag: Tag.signature, body: binding.write() }];
  }
  const fingerprints = async (packets: Packet[]) =>
    summarise(await clean(packets)).subkeys.map(({ fingerprint }) => fingerprint);

  it.each([
    ['that signs', 0x02],
    ['of which the binding does not say what it does', undefined],
  ])('%s is not taken in without its word', async (_, flags) => {
    const adopted = ann.key.subkeys[0]?.getFingerprint();
    expect(await fingerprints(ann.packets)).toContain(adopted);
    expect(await fingerprints(await adopting(flags))).not.toContain(adopted);
  });

  it('gives its word as such, and not by a document that looks like the keys', async () => {
    const keys = [mallory.packets[0], ann.packets.find(({ tag }) => tag === Tag.publicSubkey)];
    const document = Buffer.concat(
      keys.flatMap((packet) => {
        const { length } = packet?.body ?? [];
        return [Buffer.from([0x99, length >> 8, length & 0xff]), packet?.body ?? Buffer.alloc(0)];
      }),
    );
    const literal = { text: null, getBytes: () => document };
    const subkey = ann.key.subkeys[0];
    const word = await signed(openpgp.enums.signature.binary, subkey?.keyPacket, literal);
    expect(await fingerprints(await adopting(0x02, word))).not.toContain(subkey?.getFingerprint());
  });

  it('that only encrypts is taken in, and known not to have said so', async () => {
    const { subkeys } = summarise(await clean(await adopting(0x0c)));
    expect(subkeys.filter(({ signs }) => signs)).toHaveLength(1);
    expect(subkeys).toContainEqual(
      expect.objectContaining({ fingerprint: ann.key.subkeys[0]?.getFingerprint(), signs: false }),
    );
  });
});

describe.each(['ed25519Legacy', 'nistP256'] as const)('a subkey of %s', (curve) => {
  it('whose number says another size is not the same key again', async () => {
    const { packets } = await make('carol', curve);
    const [first, binding] = packets.flatMap((packet, at) =>
      packet.tag === Tag.publicSubkey ? packets.slice(at, at + 2) : [],
    );
    if (first === undefined || binding === undefined) throw new Error('no subkey');
    // After version, time, algorithm and curve: one bit less, in as many octets.
    const body = Buffer.from(first.body);
    const size = 7 + (body[6] ?? 0);
    body.writeUInt16BE(body.readUInt16BE(size) - 1, size);
    const whole = await clean([...packets, { ...first, body }, binding]);
    expect(whole.subkeys).toHaveLength(2);
    expect(writeCertificate(whole)).toEqual(writeCertificate(await clean(packets)));
  });
});

describe('a certificate that costs time', () => {
  const mpi = (bits: number): Buffer => {
    const number = Buffer.alloc(Math.ceil(bits / 8), 0xff);
    if (bits > 0) number[0] = 0xff >> (number.length * 8 - bits);
    const header = Buffer.alloc(2);
    header.writeUInt16BE(bits);
    return Buffer.concat([header, number]);
  };
  const keyPacket = (algorithm: number, ...numbers: number[]): Packet => ({
    tag: Tag.publicKey,
    body: Buffer.concat([Buffer.from([4, 0x60, 0, 0, 0, algorithm]), ...numbers.map(mpi)]),
  });
  const userId: Packet = { tag: Tag.userId, body: Buffer.from('slow') };
  /** A certification with a time of its own: no two are the same. */
  const signature = (algorithm: number, count: number, ...numbers: number[]): Packet => ({
    tag: Tag.signature,
    body: Buffer.concat([
      Buffer.from([4, 0x13, algorithm, 8, 0, 6, 5, 2, 0x60, 0, count >> 8, count & 0xff, 0, 0, 0, 0]),
      ...numbers.map(mpi),
    ]),
  });

  it.each([
    ['a DSA key of 16384 bits', keyPacket(17, 16_384, 256, 256, 256), 'at most 3072 bits'],
    ['a DSA key of a large order', keyPacket(17, 3072, 3072, 256, 256), 'at most 256 bits'],
    ['an RSA key of 16385 bits', keyPacket(1, 16_385, 17), 'at most 16384 bits'],
    ['an RSA key with a long exponent', keyPacket(1, 16_384, 16_384), 'at most 64 bits'],
    ['an RSA key with the exponent 1', keyPacket(1, 2048, 1), 'exponent above 1'],
    ['an RSA key of 1023 bits', keyPacket(1, 1023, 17), 'at least 1024 bits'],
    ['an RSA key of 65535 bits', keyPacket(1, 65_535, 17), 'at most 8192 bytes'],
    ['a DSA key whose prime is 0', keyPacket(17, 0, 256, 256, 256), 'at least 1024 bits'],
  ])('%s is refused before anything is computed', async (_, key, message) => {
    await expect(clean([key, userId, signature(17, 1, 255, 255)])).rejects.toThrow(message);
  });

  /** Signatures that hash to what they say, as anybody can make them, and that are not by the key: each has to be computed. */
  const forged = (count: number, userIds: number = 1): Packet[] => {
    const owner = new Owner('rsa2048');
    const signer = { ...owner.key, signed: () => mpi(2040) };
    const many = Array.from({ length: count }, (_, at) =>
      owner.userId(`u${at % userIds}`, { signer, created: made + at }).slice(1),
    );
    const ids = Array.from({ length: userIds }, (_, at): Packet => ({
      tag: Tag.userId,
      body: Buffer.from(`u${at}`),
    }));
    return [owner.primary, ...ids, ...many.flat()];
  };

  it('for its many signatures is refused', async () => {
    await expect(clean(forged(3001))).rejects.toThrow('too long');
  });

  it('for its many signatures that may be over many user ids is refused', async () => {
    const [primary, ...others] = forged(1000, 1000);
    await expect(clean([primary as Packet, ...others.toReversed()])).rejects.toThrow('too long');
  });

  it('for much that would have to be hashed is refused', async () => {
    const owner = new Owner();
    const large = Array.from({ length: 60 }, (_, at) =>
      owner.sign(0x13, {
        userId: Buffer.from('?'),
        created: made + at,
        hashed: [[100, Buffer.alloc(29_000)]],
      }),
    );
    const ids = Array.from({ length: 200 }, (_, at): Packet => ({
      tag: Tag.userId,
      body: Buffer.from(`u${at}`),
    }));
    await expect(clean([owner.primary, ...ids, ...large])).rejects.toThrow('too long');
  });

  /** Turns that somebody else has while a certificate is looked at. */
  async function turnsDuring(packets: readonly Packet[]): Promise<number> {
    let turns = 0;
    let timer = setImmediate(function again(): void {
      turns += 1;
      timer = setImmediate(again);
    });
    await clean(packets).catch(() => undefined);
    clearImmediate(timer);
    return turns;
  }

  it('lets others have their turn between two signatures', async () => {
    expect(await turnsDuring(forged(30))).toBeGreaterThanOrEqual(30);
  });

  it('lets others have their turn while it is only read', async () => {
    const stranger = new Owner();
    const owner = new Owner();
    const theirs = stranger.sign(0x10, { primary: owner.key.body, userId: Buffer.from('Ann') });
    const signatures = Array.from({ length: 2000 }, () => theirs);
    const subkeys = Array.from({ length: 2000 }, () => owner.encryptionSubkey()[0] as Packet);
    const enough = 10;
    for (const many of [signatures, subkeys])
      expect(await turnsDuring([owner.primary, ...owner.userId('Ann'), ...many])).toBeGreaterThan(enough);
  });
});
