import type { Packet } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';
import {
  CREATED,
  type Kind,
  makeEncryptionKey,
  makeKey,
  makeSignature,
  type MadeKey,
  Owner,
} from './maker.js';

/** A signature together with what it is over: what can be sent without anything else but the primary key. */
export interface Pair {
  /** Undefined: the primary key. */
  readonly component: Packet | undefined;
  readonly signature: Packet;
  /** It makes a certificate of the primary key that can be stored. */
  readonly isEnough: boolean;
}

/** One certificate with everything that a certificate can have, more of some of it than is kept. */
export interface World {
  readonly primary: Packet;
  readonly pairs: readonly Pair[];
}

const day = (count: number): number => CREATED + count * 86_400;
const reason = (code: number): Buffer => Buffer.of(code);

export function makeWorld(kind: Kind, version: 4 | 6 = 4): World {
  const owner = new Owner(kind, { version });
  const pairs: Pair[] = [];
  const add = (component: Packet | undefined, signature: Packet, isEnough = false): void =>
    void pairs.push({ component, signature, isEnough });
  const direct = (created: number): Packet => owner.sign(0x1f, { created, hashed: [[27, Buffer.of(0x03)]] });
  add(undefined, direct(day(0)), true);
  add(undefined, direct(day(9)), true);
  addUserIds(owner, add);
  addSubkeys(owner, version, add);
  for (let n = 0; n < 7; n += 1)
    add(undefined, owner.sign(0x20, { created: day(20 + n), hashed: [[29, reason(n % 4)]] }), true);
  return { primary: owner.primary, pairs };
}

type Add = (component: Packet | undefined, signature: Packet, isEnough?: boolean) => void;

function addUserIds(owner: Owner, add: Add): void {
  const userId = (text: string): Packet => ({ tag: Tag.userId, body: Buffer.from(text, 'latin1') });
  const certify = (component: Packet, type: number, created: number, hashed: [number, Buffer][] = []): void =>
    add(component, owner.sign(type, { userId: component.body, created, hashed }), type < 0x20);
  const often = userId('Ann <ann@example.org>');
  for (let n = 0; n < 7; n += 1) certify(often, 0x10 + (n % 4), day(n), [[25, Buffer.of(n % 2)]]);
  // Of the same moment, so that their time does not order them.
  certify(often, 0x12, day(6), [[25, Buffer.of(1)]]);
  certify(often, 0x13, day(6));
  const back = userId('B\xf6rn');
  certify(back, 0x13, day(1));
  certify(back, 0x30, day(2), [[29, reason(32)]]);
  certify(back, 0x13, day(3));
  const gone = userId('Gone <gone@example.org>');
  certify(gone, 0x13, day(1));
  certify(gone, 0x30, day(4));
  // Nothing but a revocation has ever come of this one.
  certify(userId('Never'), 0x30, day(5));
}

function addSubkeys(owner: Owner, version: 4 | 6, add: Add): void {
  const packet = (body: Buffer): Packet => ({ tag: Tag.publicSubkey, body });
  const bind = (component: Packet, type: number, created: number, more: object = {}): void =>
    add(component, owner.sign(type, { subkey: component.body, created, ...more }));
  const encrypts = packet(makeEncryptionKey({ version }));
  bind(encrypts, 0x18, day(0), { hashed: [[27, Buffer.of(0x0c)]] });
  bind(encrypts, 0x18, day(8), { hashed: [[27, Buffer.of(0x0c)]] });
  const kind: Kind = version === 6 ? 'ed25519' : 'ed25519Legacy';
  const signs = makeKey(kind, { version, created: day(1) });
  for (let n = 1; n < 8; n += 1)
    bind(packet(signs.body), 0x18, day(n), signing(wordOf(owner, signs, day(n))));
  bind(packet(signs.body), 0x28, day(9), { hashed: [[29, reason(1)]] });
  // The word of this one is signed with the binding.
  const inside = makeKey(kind, { version, created: day(2) });
  const word = wordOf(owner, inside, day(2));
  bind(packet(inside.body), 0x18, day(2), {
    hashed: [
      [27, Buffer.of(0x02)],
      [32, word],
    ],
  });
  bind(packet(makeEncryptionKey({ version, created: day(3) })), 0x28, day(5), { hashed: [[29, reason(2)]] });
}

const signing = (word: Buffer): object => ({ hashed: [[27, Buffer.of(0x02)]], unhashed: [[32, word]] });

const wordOf = (owner: Owner, subkey: MadeKey, created: number): Buffer =>
  makeSignature({ signer: subkey, type: 0x19, primary: owner.key.body, subkey: subkey.body, created });

/** The packets of some of it, each component in front of its signatures, in the order of first mention. */
export function packetsOf({ primary }: World, pairs: readonly Pair[]): Packet[] {
  const groups = new Map<Packet | undefined, Packet[]>([[undefined, [primary]]]);
  for (const { component, signature } of pairs) {
    const group = groups.get(component) ?? (component === undefined ? [] : [component]);
    groups.set(component, [...group, signature]);
  }
  return [...groups.values()].flat();
}
