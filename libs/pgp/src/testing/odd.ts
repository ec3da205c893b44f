import fc from 'fast-check';
import type { Packet } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';
import {
  CREATED,
  type Kind,
  makeEncryptionKey,
  makeKey,
  makeSignature,
  type MadeSubpacket,
  Owner,
} from './maker.js';

/** Everything that can be made again and again with few keys: making keys is slow. */
const OWNERS: readonly Owner[] = [
  ...(
    [
      'ed25519Legacy',
      'ed25519Legacy',
      'nistP256',
      'rsa2048',
      'dsa1024',
      'brainpoolP256r1',
      'secp256k1',
    ] as Kind[]
  ).map((kind) => new Owner(kind)),
  new Owner('ed25519'),
  new Owner('ed25519', { version: 6 }),
];
const SUBKEYS = {
  4: [makeKey('ed25519Legacy'), makeKey('nistP256'), makeKey('ed25519')],
  6: [makeKey('ed25519', { version: 6 }), makeKey('ed448', { version: 6 })],
} as const;

/** Subpackets as nobody makes them, but anybody could: of any type and content, critical or not. */
const subpacket: fc.Arbitrary<MadeSubpacket> = fc.tuple(
  fc.oneof(
    fc.nat(127),
    fc.constantFrom(2, 3, 4, 5, 6, 7, 9, 11, 12, 16, 20, 25, 27, 29, 30, 31, 32, 33, 35, 39),
  ),
  fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc.uint8Array({ minLength: 1, maxLength: 1 }),
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 300, maxLength: 400 }),
    fc.uint8Array({ minLength: 20, maxLength: 20 }).map((id) => Buffer.concat([Buffer.of(4), id])),
    fc.uint8Array({ minLength: 20, maxLength: 20 }).map((id) => Buffer.concat([Buffer.of(0x80, 17), id])),
    fc.constant(Buffer.of(0x80, 0, 0, 0, 0, 1, 0, 1, 0x61, 0x62)),
  ),
  fc.boolean(),
);
const subpackets = fc.array(subpacket, { maxLength: 2 });
const hash = fc.constantFrom(2, 8, 9, 10, 11, 12, 14);
const created = fc.integer({ min: CREATED, max: CREATED + 10_000 });
const said = fc.record({ hashed: subpackets, unhashed: subpackets, hash, created, anonymous: fc.boolean() });
type Said = typeof said extends fc.Arbitrary<infer T> ? T : never;

/** A certificate that its owner has made in a way that nobody does. Every signature of it is good. */
export const oddCertificate: fc.Arbitrary<Packet[]> = fc
  .record({
    owner: fc.constantFrom(...OWNERS),
    ofKey: fc.array(fc.record({ type: fc.constantFrom(0x1f, 0x20), said }), { maxLength: 2 }),
    userIds: fc.array(
      fc.record({
        text: fc.uint8Array({ maxLength: 20 }),
        type: fc.constantFrom(0x10, 0x13, 0x30, 0x16, 0x18),
        said,
      }),
      { maxLength: 3 },
    ),
    subkeys: fc.array(
      fc.record({
        which: fc.nat(5),
        type: fc.constantFrom(0x18, 0x18, 0x28),
        flags: fc.option(fc.constantFrom(0, 2, 0x0c, 0x20)),
        word: fc.constantFrom('hashed', 'unhashed', 'none', 'wrong'),
        wordSaid: said,
        said,
      }),
      { maxLength: 3 },
    ),
    plain: fc.boolean(),
  })
  .map(({ owner, ofKey, userIds, subkeys, plain }) => {
    const { version } = owner.key.facts;
    const packets = [
      owner.primary,
      ...(version === 6 ? [owner.sign(0x1f)] : []),
      ...ofKey.map((one) => owner.sign(one.type, one.said)),
      // With something that is as it should be most of them can be stored.
      ...(plain ? owner.userId('Plain <plain@example.org>') : []),
      ...userIds.flatMap(({ text, type, said: more }) => owner.userId(text, { type, ...more })),
    ];
    for (const subkey of subkeys) packets.push(...oddSubkey(owner, subkey));
    return packets;
  });

interface OddSubkey {
  readonly which: number;
  readonly type: number;
  readonly flags: number | null;
  readonly word: 'hashed' | 'unhashed' | 'none' | 'wrong';
  readonly wordSaid: Said;
  readonly said: Said;
}

function oddSubkey(owner: Owner, { which, type, flags, word, wordSaid, said: more }: OddSubkey): Packet[] {
  const { version } = owner.key.facts;
  const signer = SUBKEYS[version][which];
  const subkey = signer?.body ?? makeEncryptionKey({ version });
  const flag: MadeSubpacket[] = flags === null ? [] : [[27, Buffer.of(flags)]];
  const back = signer && {
    signer,
    type: word === 'wrong' ? 0x18 : 0x19,
    primary: owner.key.body,
    subkey,
    ...wordSaid,
  };
  const words: MadeSubpacket[] = back === undefined || word === 'none' ? [] : [[32, makeSignature(back)]];
  const signature = owner.sign(type, {
    ...more,
    subkey,
    hashed: [...flag, ...(word === 'hashed' ? words : []), ...more.hashed],
    unhashed: [...(word === 'hashed' ? [] : words), ...more.unhashed],
  });
  return [{ tag: Tag.publicSubkey, body: subkey }, signature];
}
