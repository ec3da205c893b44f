import fc from 'fast-check';
import { ManualClock } from '#libs/core';
import * as openpgp from 'openpgp';
import { beforeAll, describe, expect, it } from 'vitest';
import { readPackets, writePacket, type Packet } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';
import {
  type Certificate,
  cleanCertificate,
  mergeCertificates,
  readArmor,
  splitCertificates,
  summarise,
  writeArmor,
  writeCertificate,
} from './index.js';

const CREATED = new Date('2026-01-01T00:00:00Z');
const clock = new ManualClock('2026-06-01T00:00:00Z');

interface Made {
  readonly armored: string;
  readonly packets: Packet[];
  readonly revocation: string;
  readonly fingerprint: string;
}

async function make(userId: string, options: { expires?: number; sign?: boolean } = {}): Promise<Made> {
  const made = await openpgp.generateKey({
    userIDs: [{ name: userId, email: `${userId}@example.org` }],
    type: 'ecc',
    curve: 'ed25519Legacy',
    date: CREATED,
    ...(options.expires !== undefined && { keyExpirationTime: options.expires }),
    subkeys: options.sign === true ? [{ sign: true }, {}] : [{}],
    config: { v6Keys: false },
  });
  const key = await openpgp.readKey({ armoredKey: made.publicKey });
  const [block] = readArmor(made.publicKey);
  if (block === undefined) throw new Error('no block');
  return {
    armored: made.publicKey,
    packets: readPackets(block),
    revocation: made.revocationCertificate,
    fingerprint: key.getFingerprint(),
  };
}

async function clean(packets: readonly Packet[]): Promise<Certificate> {
  const [raw] = splitCertificates(packets);
  if (raw === undefined) throw new Error('no certificate');
  return cleanCertificate(raw, clock);
}

let ann: Made;
let mallory: Made;
beforeAll(async () => {
  ann = await make('ann', { sign: true, expires: 1000 });
  mallory = await make('mallory');
});

describe('a certificate', () => {
  it('is kept byte for byte', async () => {
    const certificate = await clean(ann.packets);
    const bodies = (packets: readonly Packet[]) =>
      packets.map(({ tag, body }) => [tag, Buffer.from(body).toString('hex')]);
    expect(bodies(readPackets(writeCertificate(certificate)))).toHaveLength(ann.packets.length);
    const stored = await openpgp.readKey({ armoredKey: writeArmor(writeCertificate(certificate)) });
    expect(stored.getFingerprint()).toBe(ann.fingerprint);
    await stored.verifyPrimaryKey(CREATED);
    for (const subkey of stored.getSubkeys()) await subkey.verify(CREATED);
  });

  it('is summed up from its newest self-signature', async () => {
    expect(summarise(await clean(ann.packets))).toMatchObject({
      fingerprint: ann.fingerprint,
      algorithm: 22,
      bits: 256,
      created: CREATED.getTime() / 1000,
      expires: CREATED.getTime() / 1000 + 1000,
      revoked: false,
      userIds: [{ text: 'ann <ann@example.org>', revoked: false }],
    });
  });

  it('loses user ids and subkeys that its own key does not vouch for', async () => {
    const foreign = mallory.packets.filter(({ tag }) => tag !== Tag.publicKey);
    const certificate = await clean([...ann.packets, ...foreign]);
    expect(certificate.userIds).toHaveLength(1);
    expect(certificate.subkeys).toHaveLength(2);
  });

  it('loses a user id whose text was changed', async () => {
    const forged = ann.packets.map((packet) =>
      packet.tag === Tag.userId ? { ...packet, body: Buffer.from('root <root@example.org>') } : packet,
    );
    await expect(clean(forged)).rejects.toThrow('has no user id that its own signature confirms');
  });

  it('loses a signature from the future', async () => {
    const [raw] = splitCertificates(ann.packets);
    if (raw === undefined) throw new Error('no certificate');
    await expect(cleanCertificate(raw, new ManualClock('2025-12-01T00:00:00Z'))).rejects.toThrow(
      'no user id',
    );
  });

  it('loses what was stuffed into the unhashed area', async () => {
    const stuffed = ann.packets.map((packet) =>
      packet.tag === Tag.signature ? { ...packet, body: withUnhashed(packet.body) } : packet,
    );
    expect(writeCertificate(await clean(stuffed)).equals(writeCertificate(await clean(ann.packets)))).toBe(
      true,
    );
  });

  it('keeps a revocation, and never loses it by a later upload', async () => {
    const [block] = readArmor(ann.revocation);
    if (block === undefined) throw new Error('no block');
    const [primary, ...rest] = ann.packets;
    if (primary === undefined) throw new Error('no primary');
    const revoked = await clean([primary, ...readPackets(block), ...rest]);
    expect(summarise(revoked).revoked).toBe(true);
    expect(summarise(mergeCertificates(await clean(ann.packets), revoked)).revoked).toBe(true);
    expect(summarise(mergeCertificates(revoked, await clean(ann.packets))).revoked).toBe(true);
  });

  it('ends in the same bytes however its packets are shuffled and split', async () => {
    const groups = grouped(ann.packets);
    const [primary, ...components] = groups;
    if (primary === undefined) throw new Error('no primary');
    const whole = writeCertificate(await clean(ann.packets));
    const order = fc.shuffledSubarray(components, {
      minLength: components.length,
      maxLength: components.length,
    });
    await fc.assert(
      fc.asyncProperty(order, fc.nat(components.length), async (shuffled, at) => {
        const parts = [shuffled.slice(0, at), shuffled.slice(at)];
        const cleaned: Certificate[] = [];
        for (const part of parts) {
          const one = await clean([...primary, ...part.flat()]).catch(() => undefined);
          if (one !== undefined) cleaned.push(one);
        }
        const [first, second = first] = cleaned;
        if (first === undefined || second === undefined) throw new Error('nothing was left');
        const onlyWithUserId = parts.every(
          (part) => part.some((group) => group[0]?.tag === Tag.userId) || part.length === 0,
        );
        const merged = writeCertificate(mergeCertificates(first, second));
        const reversed = writeCertificate(mergeCertificates(second, first));
        expect(merged.equals(reversed)).toBe(true);
        expect(!onlyWithUserId || merged.equals(whole)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });
});

describe('hostile OpenPGP data', () => {
  it.each([
    ['nothing', Buffer.alloc(0), 'Expected an OpenPGP public key'],
    ['text', Buffer.from('hello'), 'Expected an OpenPGP packet'],
    [
      'a length beyond the end',
      Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff, 0xff, 0x04]),
      'ends in the middle',
    ],
    ['an indeterminate length', Buffer.from([0x9b, 0x04]), 'indeterminate'],
    ['a partial length', Buffer.from([0xc6, 0xe1, 0x04, 0x04]), 'partial'],
    ['a secret key', Buffer.from([0xc5, 0x01, 0x04]), 'It was not stored'],
    ['compressed data', Buffer.from([0xc8, 0x01, 0x00]), 'got an OpenPGP message'],
    ['a version 3 key', Buffer.from([0xc6, 0x02, 0x03, 0x00]), 'version 3'],
    ['too many packets', Buffer.alloc(2 * 5001, Buffer.from([0xcd, 0x00])), 'at most 5000 packets'],
  ])('refuses %s with a sentence', async (_, bytes, message) => {
    await expect(async () => clean(readPackets(bytes))).rejects.toThrow(message);
  });

  it('never fails with anything but a sentence, whatever is cut or flipped', async () => {
    const bytes = Buffer.concat(ann.packets.map(writePacket));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), async (at, value, cut) => {
        const damaged = cut
          ? bytes.subarray(0, at)
          : Buffer.concat([bytes.subarray(0, at), Buffer.from([value]), bytes.subarray(at + 1)]);
        const outcome = await Promise.resolve()
          .then(() => clean(readPackets(damaged)))
          .then(
            () => 'cleaned',
            (error: unknown) => (error instanceof Error ? error.name : 'unknown'),
          );
        expect(['cleaned', 'DomainError']).toContain(outcome);
      }),
      { numRuns: 60 },
    );
  });
});

/** Adds a subpacket of a private type to the unhashed area. */
function withUnhashed(body: Uint8Array): Uint8Array {
  const bytes = Buffer.from(body);
  const at = 6 + bytes.readUInt16BE(4);
  const length = bytes.readUInt16BE(at);
  const extra = Buffer.from([5, 100, 1, 2, 3, 4]);
  const size = Buffer.alloc(2);
  size.writeUInt16BE(length + extra.length);
  return Buffer.concat([
    bytes.subarray(0, at),
    size,
    bytes.subarray(at + 2, at + 2 + length),
    extra,
    bytes.subarray(at + 2 + length),
  ]);
}

/** Each packet with the signatures that follow it. */
function grouped(packets: readonly Packet[]): Packet[][] {
  const groups: Packet[][] = [];
  for (const packet of packets) {
    if (packet.tag === Tag.signature) groups.at(-1)?.push(packet);
    else groups.push([packet]);
  }
  return groups;
}
