import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Packet, readPackets, writePacket } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';
import { bytesOf, Owner } from '../testing/maker.js';
import { Store } from '../testing/store.js';
import { makeWorld, type Pair, packetsOf, type World } from '../testing/world.js';
import { writeArmor } from './index.js';

/* What is stored depends on what has come, and on nothing else: not on order, parts, copies, or what strangers did to it. */

const RUNS = 60;
const KINDS = [
  ['Ed25519, version 4', makeWorld('ed25519Legacy')],
  ['Ed25519, version 6', makeWorld('ed25519', 6)],
  ['NIST P-256', makeWorld('nistP256')],
] as const;

async function stored({ primary }: World, ...uploads: readonly (readonly Packet[])[]): Promise<string> {
  const store = new Store(primary);
  for (const packets of uploads) expect(await store.add(packets)).toBeUndefined();
  return store.bytes;
}

const shuffled = <T>(values: readonly T[]): fc.Arbitrary<T[]> =>
  fc.shuffledSubarray([...values], { minLength: values.length, maxLength: values.length });

/** Uploads of parts of it, with some of it more than once, in any order: the first one can be stored. */
function uploadsOf({ primary, pairs }: World): fc.Arbitrary<Packet[][]> {
  const parts = fc.integer({ min: 1, max: 5 }).chain((count) =>
    fc.tuple(
      ...pairs.map((pair) =>
        fc.record({
          pair: fc.constant(pair),
          part: fc.nat(count - 1),
          again: fc.option(fc.nat(count - 1)),
        }),
      ),
    ),
  );
  const upload = (part: readonly Pair[]): fc.Arbitrary<Packet[]> => {
    const components = [...new Set(part.map(({ component }) => component))].filter(
      (one) => one !== undefined,
    );
    return shuffled([...components, ...part.map(({ signature }) => signature)]).map((rest) => [
      primary,
      ...rest,
    ]);
  };
  return parts
    .map((placed) => {
      const lists = new Map<number, Pair[]>();
      for (const { pair, part, again } of placed)
        for (const at of new Set([part, again]))
          if (at !== null) lists.set(at, [...(lists.get(at) ?? []), pair]);
      const sorted = [...lists.values()];
      const first = sorted.findIndex((list) => isEnough(list, primary));
      return first === -1 ? [[...pairs]] : [...sorted.splice(first, 1), ...sorted];
    })
    .chain((lists) => fc.tuple(...lists.map(upload)));
}

/** Of version 6 there must be a direct-key signature, which stands over the primary key as a revocation does. */
const isEnough = (list: readonly Pair[], { body }: Packet): boolean =>
  list.some((pair) => pair.isEnough && (body[0] === 4 || pair.signature.body[1] === 0x1f));

describe.each(KINDS)('a certificate of %s', (_, world) => {
  const whole = packetsOf(world, world.pairs);

  it('ends in the same bytes in whatever order and parts its packets come', async () => {
    const right = await stored(world, whole);
    await fc.assert(
      fc.asyncProperty(uploadsOf(world), async (uploads) => {
        expect(await stored(world, ...uploads)).toBe(right);
      }),
      { numRuns: RUNS },
    );
  });

  it('is unchanged by every copy and part of it that comes later', async () => {
    const right = await stored(world, whole);
    const store = new Store(world.primary);
    await store.add(whole);
    await fc.assert(
      fc.asyncProperty(fc.subarray([...world.pairs]), async (pairs) => {
        await store.add(packetsOf(world, pairs));
        expect(store.bytes).toBe(right);
      }),
      { numRuns: RUNS },
    );
  });

  it('is not changed by anything that somebody without its key does to it, before it comes or later', async () => {
    const right = await stored(world, whole);
    await fc.assert(
      fc.asyncProperty(fc.array(change(world), { minLength: 1, maxLength: 4 }), async (changes) => {
        const changed = changes.reduce((packets, step) => step(packets), whole);
        const later = new Store(world.primary);
        await later.add(whole);
        await later.add(changed);
        expect(later.bytes).toBe(right);
        const before = new Store(world.primary);
        await before.add(changed);
        await before.add(whole);
        expect(before.bytes).toBe(right);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('an upload of which some bits were flipped', () => {
  const [, world] = KINDS[0];
  const bytes = bytesOf(packetsOf(world, world.pairs));
  const armored = Buffer.from(writeArmor(bytes));

  it.each([
    ['in binary', bytes],
    ['in armor', armored],
  ])('%s changes nothing of what is stored, and says why in a sentence', async (_, upload) => {
    const store = new Store(world.primary);
    expect(await store.upload(Buffer.from(upload))).toBeUndefined();
    const right = store.bytes;
    const flips = fc.array(fc.nat(upload.length * 8 - 1), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(flips, async (bits) => {
        const changed = Buffer.from(upload);
        for (const bit of bits) changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const refused = await store.upload(changed);
        expect(refused === undefined || refused.length > 10).toBe(true);
        expect(store.bytes).toBe(right);
      }),
      { numRuns: RUNS },
    );
  });
});

type Change = (packets: readonly Packet[]) => Packet[];

const mallory = new Owner();
const foreign: readonly Packet[] = [
  ...mallory.userId('Mallory'),
  ...mallory.encryptionSubkey(),
  mallory.sign(0x1f),
  mallory.sign(0x20),
  { tag: 10, body: Buffer.from('PGP') },
  { tag: 12, body: Buffer.of(1, 2) },
  { tag: 21, body: Buffer.alloc(30) },
  { tag: 17, body: Buffer.alloc(20) },
  { tag: 60, body: Buffer.alloc(5) },
  { tag: Tag.signature, body: Buffer.alloc(0) },
  { tag: Tag.userId, body: Buffer.from('Somebody else') },
];

/** What can be done to packets without a secret key. */
function change({ primary }: World): fc.Arbitrary<Change> {
  const at = fc.nat(200);
  const place = (packets: readonly Packet[], index: number): number => 1 + (index % (packets.length - 1));
  const inserted = (packets: readonly Packet[], index: number, packet: Packet): Packet[] =>
    packets.toSpliced(place(packets, index), 0, packet);
  const atOne =
    (index: number, edit: (packet: Packet) => Packet): Change =>
    (packets) =>
      packets.map((packet, n) => (n === index % packets.length ? edit(packet) : packet));
  return fc.oneof(
    fc
      .record({ at, bit: fc.nat(20_000) })
      .map(({ at: index, bit }) => atOne(index, (one) => flipped(one, bit))),
    fc.record({ at, to: at }).map(
      ({ at: index, to }): Change =>
        (packets) =>
          inserted(packets, to, packets[index % packets.length] ?? primary),
    ),
    fc.record({ at, to: at }).map(({ at: index, to }): Change => (packets) => {
      const from = place(packets, index);
      const [moved = primary] = packets.slice(from, from + 1);
      return inserted(packets.toSpliced(from, 1), to, moved);
    }),
    fc.record({ at, to: at }).map(
      ({ at: index, to }): Change =>
        (packets) =>
          inserted(packets, to, foreign[index % foreign.length] ?? primary),
    ),
    fc.record({ at, tag: fc.constantFrom(2, 6, 13, 14, 17) }).map(
      ({ at: index, tag }) =>
        // The primary key stays: what is put in its place is another certificate.
        (packets: readonly Packet[]) =>
          atOne(place(packets, index), (one) => ({ ...one, tag }))(packets),
    ),
    fc
      .record({ at, junk: fc.uint8Array({ minLength: 1, maxLength: 40 }), type: fc.nat(127) })
      .map(({ at: index, junk, type }) => atOne(index, (one) => withUnhashed(one, type, junk))),
    fc
      .record({ at, zeros: fc.integer({ min: 1, max: 3 }) })
      .map(({ at: index, zeros }) => atOne(index, (one) => withZeros(one, zeros))),
    fc
      .record({ at, cut: fc.nat(40), more: fc.uint8Array({ maxLength: 4 }) })
      .map(({ at: index, cut, more }) =>
        atOne(index, ({ tag, body }) => ({
          tag,
          body: Buffer.concat([body.subarray(0, body.length - cut), more]),
        })),
      ),
    // In its old form and in every length that a header can have.
    fc.constantFrom<Change>((packets) => packets.flatMap((one) => readPackets(oldHeader(one)))),
    fc.constantFrom<Change>((packets) => packets.flatMap((one) => readPackets(writePacket(one)))),
  );
}

function flipped({ tag, body }: Packet, bit: number): Packet {
  const copy = Buffer.from(body);
  const at = (bit >> 3) % Math.max(1, copy.length);
  if (copy.length > 0) copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
  return { tag, body: copy };
}

function oldHeader({ tag, body }: Packet): Buffer {
  if (tag > 15) return Buffer.from(writePacket({ tag, body }));
  const size = Buffer.alloc(4);
  size.writeUInt32BE(body.length);
  return Buffer.concat([Buffer.of(0x80 | (tag << 2) | 2), size, body]);
}

/** Where the unhashed area of a signature is; undefined for what is none. */
function unhashedOf({ tag, body }: Packet): { start: number; end: number; sizeBytes: number } | undefined {
  const bytes = Buffer.from(body);
  if (tag !== Tag.signature || bytes.length < 20) return undefined;
  const sizeBytes = bytes[0] === 6 ? 4 : 2;
  const start = 4 + sizeBytes + bytes.readUIntBE(4, sizeBytes) + sizeBytes;
  if (start > bytes.length) return undefined;
  const end = start + bytes.readUIntBE(start - sizeBytes, sizeBytes);
  return end > bytes.length ? undefined : { start, end, sizeBytes };
}

/** With one more subpacket that no signature covers, before those that are there. */
function withUnhashed(packet: Packet, type: number, junk: Uint8Array): Packet {
  const area = unhashedOf(packet);
  if (area === undefined) return packet;
  const { start, end, sizeBytes } = area;
  const { body } = packet;
  const unhashed = Buffer.concat([Buffer.of(junk.length + 1, type), junk, body.subarray(start, end)]);
  const size = Buffer.alloc(sizeBytes);
  size.writeUIntBE(unhashed.length, 0, sizeBytes);
  return {
    ...packet,
    body: Buffer.concat([body.subarray(0, start - sizeBytes), size, unhashed, body.subarray(end)]),
  };
}

/** With zeros before the first number of a signature of version 4, which change nothing for who verifies it. */
function withZeros(packet: Packet, zeros: number): Packet {
  const area = unhashedOf(packet);
  const body = Buffer.from(packet.body);
  if (area === undefined || body[0] !== 4 || body.length < area.end + 4) return packet;
  const number = area.end + 2;
  const bits = Math.ceil(body.readUInt16BE(number) / 8) * 8 + zeros * 8;
  const size = Buffer.of(bits >> 8, bits & 0xff);
  return {
    ...packet,
    body: Buffer.concat([body.subarray(0, number), size, Buffer.alloc(zeros), body.subarray(number + 2)]),
  };
}
