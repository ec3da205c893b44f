import fc from 'fast-check';
import * as openpgp from 'openpgp';
import { beforeAll, describe, expect, it } from 'vitest';
import { readKey } from '../packets/key.js';
import { type Packet, readPackets } from '../packets/reader.js';
import { mayBeBy, readSignature } from '../packets/signature.js';
import { Tag } from '../packets/tags.js';
import { CURVE_NAMES, type Kind, Owner } from '../testing/maker.js';
import { readArmor } from './armor.js';
import { SignatureVerifier, workForUpload } from './verifier.js';

/** A signature of a certificate with what it is made over. */
interface Case {
  readonly body: Uint8Array;
  readonly type: number;
  readonly primary: Packet;
  readonly component: Packet;
}

const CREATED = new Date('2026-01-01T00:00:00Z');

/** The signatures over the user id and over the subkey. */
async function casesOf(options: Partial<openpgp.KeyOptions>, config: object = {}): Promise<Case[]> {
  const { publicKey } = await openpgp.generateKey({
    userIDs: [{ name: 'Ann', email: 'ann@example.org' }],
    date: CREATED,
    config: { v6Keys: false, ...config },
    ...options,
  } as openpgp.KeyOptions & { format?: 'armored' });
  return casesIn(readArmor(publicKey).flatMap((block) => readPackets(block)));
}

function casesIn(packets: readonly Packet[]): Case[] {
  const [primary] = packets;
  if (primary === undefined) throw new Error('no key');
  return packets.flatMap((packet, at) => {
    const component = packets[at - 1];
    if (packet.tag !== Tag.signature || component === undefined || component === primary) return [];
    return [{ body: packet.body, type: packet.body[1] ?? 0, primary, component }];
  });
}

async function here({ body, type, primary, component }: Case): Promise<boolean> {
  try {
    const [signature, key] = [readSignature(body), readKey(primary.body)];
    if (component.tag !== Tag.userId) readKey(component.body);
    const verifier = new SignatureVerifier(workForUpload());
    const isTheirs = signature.type === type && mayBeBy(signature, key);
    return isTheirs && (await verifier.verify(signature, { primary, component }, key));
  } catch {
    return false;
  }
}

/** What OpenPGP.js says, where it hashes the bytes that it read: it writes numbers anew. */
async function there({ body, type, primary, component }: Case): Promise<boolean> {
  try {
    const key = new openpgp.PublicKeyPacket();
    await key.read(primary.body);
    if (!Buffer.from(key.write()).equals(primary.body)) return false;
    const signature = new openpgp.SignaturePacket();
    signature.read(body);
    const bind = new openpgp.PublicSubkeyPacket();
    if (component.tag !== Tag.userId) {
      await bind.read(component.body);
      if (!Buffer.from(bind.write()).equals(component.body)) return false;
    }
    const data =
      component.tag === Tag.userId ? { key, userID: { write: () => component.body } } : { key, bind };
    await signature.verify(
      key,
      // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- types of packets are numbers everywhere here
      type,
      data,
      null as unknown as Date,
      false,
      openpgp.config,
    );
    return true;
  } catch {
    return false;
  }
}

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  const at = (bit >> 3) % copy.length;
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
  return copy;
};

describe.each([
  ['RSA', { type: 'rsa', rsaBits: 2048 }, {}],
  ['RSA without salt', { type: 'rsa', rsaBits: 2048 }, { nonDeterministicSignaturesViaNotation: false }],
  ['Ed25519 of version 4', { type: 'ecc', curve: 'ed25519Legacy' }, {}],
  ['NIST P-256', { type: 'ecc', curve: 'nistP256' }, {}],
  ['NIST P-521', { type: 'ecc', curve: 'nistP521' }, {}],
  ['Ed25519 of version 6', { type: 'curve25519' }, { v6Keys: true }],
  ['Ed448 of version 6', { type: 'curve448' }, { v6Keys: true }],
  ['RSA of version 6', { type: 'rsa', rsaBits: 2048 }, { v6Keys: true }],
  ['Ed25519 with its new number', { type: 'curve25519' }, {}],
] as const)('a signature of %s', (_, options, config) => {
  let cases: Case[];
  beforeAll(async () => {
    cases = await casesOf(options, config);
  });

  it('is good, over a user id and over a subkey', async () => {
    expect(await Promise.all(cases.map(here))).toEqual([true, true]);
    expect(await Promise.all(cases.map(there))).toEqual([true, true]);
  });

  it('is never good here when OpenPGP.js does not find it good, whichever bit was changed', async () => {
    const one = fc.record({
      which: fc.nat(1),
      where: fc.constantFrom('body', 'primary', 'component'),
      bit: fc.nat(40_000),
    });
    await fc.assert(
      fc.asyncProperty(one, async ({ which, where, bit }) => {
        const whole = cases[which] as Case;
        const changed: Case =
          where === 'body'
            ? { ...whole, body: flipped(whole.body, bit) }
            : { ...whole, [where]: { ...whole[where], body: flipped(whole[where].body, bit) } };
        expect((await here(changed)) && !(await there(changed))).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it('is good for nothing else: not as another type, not by another key', async () => {
    const [certification, binding] = cases as [Case, Case];
    expect(await here({ ...certification, type: 0x18 })).toBe(false);
    expect(await here({ ...certification, component: binding.component })).toBe(false);
    const other = { ...certification.primary, body: flipped(certification.primary.body, 8) };
    expect(await here({ ...certification, primary: other })).toBe(false);
  });
});

const KINDS: readonly Kind[] = [
  'rsa1024',
  'dsa1024',
  'dsa2048',
  ...CURVE_NAMES,
  'ed25519Legacy',
  'ed25519',
  'ed448',
];

describe.each(KINDS)('a key of %s that was made octet by octet', (kind) => {
  const owner = new Owner(kind);
  const made = casesIn([owner.primary, ...owner.userId('Ann'), ...owner.encryptionSubkey()]);

  it.each([2, 8, 9, 10, 11, 12, 14])(
    'is verified with the hash %i, and with no changed bit',
    async (hash) => {
      const [whole] = casesIn([owner.primary, ...owner.userId('Ann', { hash })]) as [Case];
      expect(await here(whole)).toBe(true);
      const { identity } = readSignature(whole.body);
      for (let bit = 0; bit < whole.body.length * 8; bit += 61) {
        const body = flipped(whole.body, bit);
        expect((await here({ ...whole, body })) && readSignature(body).identity !== identity).toBe(false);
      }
      expect(await here({ ...whole, component: { tag: Tag.userId, body: Buffer.from('Bob') } })).toBe(false);
    },
  );

  it('is no other key when a bit of it is changed', async () => {
    for (const whole of made)
      for (let bit = 0; bit < whole.primary.body.length * 8; bit += 37) {
        const primary = { ...whole.primary, body: flipped(whole.primary.body, bit) };
        expect(await here({ ...whole, primary })).toBe(false);
      }
  });

  // Not even OpenSSL signs so with DSA.
  it.each(kind.startsWith('dsa') ? [] : [1, 3])('proves nothing with the hash %i', async (hash) => {
    const [whole] = casesIn([owner.primary, ...owner.userId('Ann', { hash })]) as [Case];
    expect(await here(whole)).toBe(false);
  });
});
