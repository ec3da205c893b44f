import fc from 'fast-check';
import * as openpgp from 'openpgp';
import { beforeAll, describe, expect, it } from 'vitest';
import { readKey } from '../packets/key.js';
import { type Packet, readPackets } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';
import { readArmor } from './armor.js';
import { NativeVerifier } from './native.js';

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
  const packets = readArmor(publicKey).flatMap((block) => readPackets(block));
  const [primary] = packets;
  if (primary === undefined) throw new Error('no key');
  return packets.flatMap((packet, at) => {
    const component = packets[at - 1];
    if (packet.tag !== Tag.signature || component === undefined) return [];
    return [{ body: packet.body, type: packet.body[1] ?? 0, primary, component }];
  });
}

const natively = ({ body, type, primary, component }: Case): boolean | undefined => {
  try {
    return new NativeVerifier().verify(body, type, { primary, component }, primary);
  } catch {
    return undefined;
  }
};

/** What OpenPGP.js says, where it hashes the bytes that it read: it writes numbers anew. */
async function plainly({ body, type, primary, component }: Case): Promise<boolean> {
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
  ['Ed25519', { type: 'ecc', curve: 'ed25519Legacy' }, {}],
] as const)('a signature of %s', (_, options, config) => {
  let cases: Case[];
  beforeAll(async () => {
    cases = await casesOf(options, config);
  });

  it('is verified here, over a user id and over a subkey', async () => {
    expect(cases.map(natively)).toEqual([true, true]);
    expect(await Promise.all(cases.map(plainly))).toEqual([true, true]);
  });

  it('is never good here when OpenPGP.js does not find it good, whichever bit was changed', async () => {
    const one = fc.record({
      which: fc.nat(1),
      where: fc.constantFrom('body', 'primary', 'component'),
      bit: fc.nat(40_000),
    });
    const seen: unknown[] = [];
    await fc.assert(
      fc.asyncProperty(one, async ({ which, where, bit }) => {
        const whole = cases[which] as Case;
        const changed: Case =
          where === 'body'
            ? { ...whole, body: flipped(whole.body, bit) }
            : { ...whole, [where]: { ...whole[where], body: flipped(whole[where].body, bit) } };
        const [here, there] = [natively(changed), await plainly(changed)];
        seen.push(here);
        expect([here, undefined]).toContain(here === undefined ? undefined : there);
      }),
      { numRuns: 300 },
    );
    expect(seen).toContain(false);
  });

  it('is left to OpenPGP.js when it is of another type, by another key, or says more than usual', () => {
    const [certification] = cases as [Case];
    expect(natively({ ...certification, type: 0x18 })).toBeUndefined();
    const other = { ...certification.primary, body: flipped(certification.primary.body, 8) };
    expect(natively({ ...certification, primary: other })).toBeUndefined();
  });
});

it('of other algorithms are left to OpenPGP.js', async () => {
  for (const options of [{ type: 'ecc', curve: 'nistP256' }, { type: 'curve25519' }] as const)
    expect((await casesOf(options)).map(natively)).toEqual([undefined, undefined]);
});

it('of numbers that take long are left to OpenPGP.js', async () => {
  const [small] = (await casesOf({ type: 'rsa', rsaBits: 2048 })) as [Case];
  /** The same signature as if it were of a key with numbers of so many bits. */
  const withNumbers = (modulusBits: number, exponentBits: number): Case => {
    const numbers = [modulusBits, exponentBits].map((bits) =>
      Buffer.concat([Buffer.from([bits >> 8, bits & 0xff]), Buffer.alloc(Math.ceil(bits / 8), 0xff)]),
    );
    const primary = {
      ...small.primary,
      body: Buffer.concat([small.primary.body.subarray(0, 6), ...numbers]),
    };
    const [before, after] = [small.primary, primary].map((key) => readKey(key.body));
    const body = Buffer.from(small.body)
      .toString('hex')
      .replaceAll(before?.fingerprint ?? '', after?.fingerprint ?? '')
      .replaceAll(before?.keyId ?? '', after?.keyId ?? '');
    return { ...small, primary, body: Buffer.from(body, 'hex') };
  };
  expect(natively(withNumbers(4096, 32))).toBe(false);
  expect(natively(withNumbers(4104, 32))).toBeUndefined();
  expect(natively(withNumbers(4096, 40))).toBeUndefined();
});

it('with a critical notation, or a subpacket of another kind, are left to OpenPGP.js', async () => {
  const [plain] = (await casesOf({ type: 'ecc', curve: 'ed25519Legacy' })) as [Case];
  expect(natively(plain)).toBe(true);
  // The notation that OpenPGP.js salts its signatures with: its type is the octet before the flags.
  const notation = Buffer.from(plain.body).indexOf(Buffer.from([20, 0, 0, 0, 0]));
  expect(notation).toBeGreaterThan(0);
  for (const type of [20 | 0x80, 12, 100, 100 | 0x80]) {
    const body = Uint8Array.from(plain.body);
    body[notation] = type;
    expect(natively({ ...plain, body })).toBeUndefined();
  }
});
