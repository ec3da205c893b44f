import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { ManualClock } from '#libs/core';
import { describe, expect, it } from 'vitest';
import type { Packet } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';
import { cleanCertificate, splitCertificates, summarise } from './index.js';

const CREATED = Date.parse('2026-01-01T00:00:00Z') / 1000;
const clock = new ManualClock('2026-06-01T00:00:00Z');

const uint = (value: number, bytes: number): Buffer =>
  Buffer.from(value.toString(16).padStart(bytes * 2, '0'), 'hex');

function mpi(number: Buffer): Buffer {
  const start = number.findIndex((byte) => byte !== 0);
  const digits = number.subarray(start);
  return Buffer.concat([uint(digits.length * 8 - Math.clz32(digits[0] ?? 0) + 24, 2), digits]);
}

/** A certificate of one user id, put together by hand as gpg would make it. */
function certificate(curve: string, oid: string, size: number): Packet[] {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve });
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const point = spki.subarray(spki.length - 2 * size - 1);
  const id = Buffer.from(oid, 'hex');
  const body = Buffer.concat([
    Buffer.from([4]),
    uint(CREATED, 4),
    Buffer.from([19, id.length]),
    id,
    uint(size * 16 + 3, 2),
    point,
  ]);
  const userId = Buffer.from('Curve <curve@example.org>');
  return [
    { tag: Tag.publicKey, body },
    { tag: Tag.userId, body: userId },
    { tag: Tag.signature, body: certification(privateKey, body, userId, size) },
  ];
}

function certification(key: KeyObject, primary: Buffer, userId: Buffer, size: number): Buffer {
  const head = Buffer.concat([Buffer.from([4, 0x13, 19, 8, 0, 6, 5, 2]), uint(CREATED, 4)]);
  const data = Buffer.concat([
    Buffer.from([0x99]),
    uint(primary.length, 2),
    primary,
    Buffer.from([0xb4]),
    uint(userId.length, 4),
    userId,
    head,
    Buffer.from([4, 0xff]),
    uint(head.length, 4),
  ]);
  const value = sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
  return Buffer.concat([
    head,
    uint(0, 2),
    createHash('sha256').update(data).digest().subarray(0, 2),
    mpi(value.subarray(0, size)),
    mpi(value.subarray(size)),
  ]);
}

async function clean(packets: readonly Packet[]) {
  const [raw] = splitCertificates(packets);
  if (raw === undefined) throw new Error('no certificate');
  return cleanCertificate(raw, clock);
}

describe.each([
  ['secp256k1', '2b8104000a', 32, 256],
  ['brainpoolP256r1', '2b2403030208010107', 32, 256],
  ['brainpoolP384r1', '2b240303020801010b', 48, 384],
  ['brainpoolP512r1', '2b240303020801010d', 64, 512],
] as const)('a key on %s', (curve, oid, size, bits) => {
  it('is taken when its own signature confirms it', async () => {
    const summary = summarise(await clean(certificate(curve, oid, size)));
    expect(summary).toMatchObject({ algorithm: 19, bits, userIds: [{ text: 'Curve <curve@example.org>' }] });
  });

  it.each<[string, (packets: Packet[]) => void]>([
    [
      'another user id',
      ([, userId]) => void (userId && Object.assign(userId, { body: Buffer.from('root') })),
    ],
    ['another time', ([, , signature]) => flip(signature, 9)],
    ['another hash', ([, , signature]) => flip(signature, 14)],
    ['another number', ([, , signature]) => flip(signature, 24)],
  ])('is refused with %s', async (_, change) => {
    const packets = certificate(curve, oid, size);
    change(packets);
    await expect(clean(packets)).rejects.toThrow('no user id');
  });
});

function flip(packet: Packet | undefined, at: number): void {
  if (packet === undefined) throw new Error('no packet');
  const body = Buffer.from(packet.body);
  body[at] = (body[at] ?? 0) ^ 1;
  Object.assign(packet, { body });
}
