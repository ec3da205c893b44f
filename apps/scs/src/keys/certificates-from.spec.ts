import fc from 'fast-check';
import { systemClock } from '#libs/core';
import { armorKey, generateKey, type PgpKey, publicPart } from '#libs/pgp';
import { beforeAll, describe, expect, it } from 'vitest';
import { certificatesFrom } from './certificates-from.js';

let keys: PgpKey[];
let secret: PgpKey;
beforeAll(async () => {
  const make = (name: string) =>
    generateKey({
      name,
      email: `${name}@example.org`,
      passphrase: '',
      algorithm: 'ed25519',
      clock: systemClock,
    });
  const made = await Promise.all(['ann', 'bob', 'cleo'].map(make));
  [secret] = made as [PgpKey];
  keys = await Promise.all(made.map(publicPart));
});

const bytesOf = (list: readonly PgpKey[]): Buffer => Buffer.concat(list.map(({ bytes }) => bytes));
async function* inPieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}
/** Hex of certificates, and sentences. */
async function read(data: Buffer | string, size = 1 << 16): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of certificatesFrom(inPieces(Buffer.from(data), size)))
    pieces.push('bytes' in piece ? Buffer.from(piece.bytes).toString('hex') : piece.message);
  return pieces;
}
const hex = (list: readonly PgpKey[] = keys): string[] =>
  list.map(({ bytes }) => Buffer.from(bytes).toString('hex'));
const armored = (list: readonly PgpKey[] = keys): string => list.map(armorKey).join('some text\n');

describe('certificates of a file', () => {
  it('come one by one, binary or armored, however the file is cut into pieces', async () => {
    const whole = armorKey({ ...secret, bytes: bytesOf(keys), key: (keys[0] as PgpKey).key });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(bytesOf(keys), armored(), whole),
        fc.integer({ min: 1, max: 700 }),
        async (data, size) => {
          expect(await read(Buffer.from(data), size)).toEqual(hex());
        },
      ),
      { numRuns: 60 },
    );
  });

  it('come from armor with headers, other line ends, without a checksum and without an empty line', async () => {
    const [key] = keys as [PgpKey];
    const plain = armorKey(key);
    for (const text of [
      plain.replaceAll('\n', '\r\n'),
      plain.replace(/\n=....\n/, '\n'),
      plain.replace('\n\n', '\nComment: by hand\nVersion: 1\n\n'),
      plain.replace('\n\n', '\n'),
      plain
        .replace('PUBLIC KEY BLOCK', 'ARMORED FILE')
        .replace(/END PGP PUBLIC KEY BLOCK/, 'END PGP ARMORED FILE'),
      `Hello\n\n${plain}\nbye`,
    ])
      expect(await read(text)).toEqual(hex([key]));
  });

  it('are not given where they are secret, and what follows is', async () => {
    const [, second] = keys as [PgpKey, PgpKey];
    const said = 'a secret key: it was not sent anywhere';
    expect(await read(Buffer.concat([secret.bytes, second.bytes]))).toEqual([said, ...hex([second])]);
    expect(await read(`${armorKey(secret)}${armorKey(second)}`)).toEqual([said, ...hex([second])]);
    const disguised = armorKey(secret).replaceAll('PRIVATE KEY', 'PUBLIC KEY');
    expect(await read(`${disguised}${armorKey(second)}`)).toEqual([said, ...hex([second])]);
  });

  it('are left out where they are too large, without being held', async () => {
    const [first, second] = keys as [PgpKey, PgpKey];
    const huge = Buffer.concat([Buffer.from([0xc2, 0xff, 0, 0x30, 0, 0]), Buffer.alloc(0x300000)]);
    expect(await read(Buffer.concat([first.bytes, huge, second.bytes]), 5000)).toEqual([
      'too large for a key',
      ...hex([second]),
    ]);
    const many = Buffer.concat([first.bytes, ...Array.from({ length: 5001 }, () => Buffer.from([0xc2, 0]))]);
    expect(await read(Buffer.concat([many, second.bytes]))).toEqual([
      'too large for a key',
      ...hex([second]),
    ]);
  });

  it('of a bad block are left out, those of others are not', async () => {
    const [first, second] = keys as [PgpKey, PgpKey];
    const good = armorKey(second);
    const cut = armorKey(first).split('\n').slice(0, 6).join('\n');
    expect(await read(`${cut}\n${good}`)).toEqual(['the armored block is cut off', ...hex([second])]);
    expect(await read(`${good}${cut}`)).toEqual([...hex([second]), 'the armored block is cut off']);
    expect(await read(`${armorKey(first).replace(/\n\n./, '\n\n!')}${good}`)).toEqual([
      'a line is no base64',
      ...hex([second]),
    ]);
    const half = armorKey({ ...first, bytes: first.bytes.subarray(0, 60) });
    expect(await read(`${half}${good}`)).toEqual([
      expect.stringMatching(/^Expected OpenPGP packets, but at byte \d+ the last packet is cut off$/),
      ...hex([second]),
    ]);
    const message = '-----BEGIN PGP MESSAGE-----\n\nAAAA\n-----END PGP MESSAGE-----\n';
    expect(await read(message + good)).toEqual(['not a public key, but PGP MESSAGE', ...hex([second])]);
  });

  it('end in a sentence where packets cannot be told apart', async () => {
    const [first] = keys as [PgpKey];
    for (const [tail, said] of [
      [[0x01], 'there is something else than a packet'],
      [[0x9b, 0x04], 'a packet has no length'],
      [[0xc6, 0xe1, 0x04], 'a packet has a partial length'],
      [[0xc6, 0x10, 0x04], 'the last packet is cut off'],
      [[0xc6], 'the last packet is cut off'],
    ] as const)
      await expect(read(Buffer.concat([first.bytes, Buffer.from(tail)]))).rejects.toThrow(said);
    expect(await read(Buffer.alloc(0))).toEqual([]);
    expect(await read('no key at all\n')).toEqual([]);
  });
});
