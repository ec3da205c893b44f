import { ManualClock } from '#libs/core';
import { generateKey, publicPart } from '#libs/pgp';
import { addObject, DataType, deleteObject, MemoryAccess, newImageId, readSif, ZERO_TIME } from '#libs/sif';
import { describe, expect, it } from 'vitest';
import { sifFixture } from '../../../test/support/sif-fixtures.js';
import { FIXTURE_CLOCK, sifKey, sifPem, sifRing } from '../../../test/support/sif-keys.js';
import { dsseSigner } from './dsse/dsse.js';
import { keyIdOf, readPrivateKey, readPublicKey } from './dsse/key.js';
import { pgpSigner } from './signer.js';
import { signImage, type SignOptions } from './sign.js';
import { verifyImage } from './verify.js';

const clock = FIXTURE_CLOCK;
const signerOf = async (letter: string) => pgpSigner({ key: await sifKey(letter, 'secret'), clock });
const pem = (name: string) => sifPem(`keys/test-${name}.SECRET-test-only.pem`);

describe('signImage', () => {
  it('makes the bytes of the golden PGP image', async () => {
    const golden = sifFixture('images/deterministic-signed-pgp.sif');
    const access = new MemoryAccess(golden);
    await deleteObject(access, 4, { clock, time: ZERO_TIME, zero: true, compact: true });
    const signer = pgpSigner({
      key: await sifKey('a', 'secret'),
      clock: new ManualClock(new Date(1795499000_000)),
      salt: false,
    });
    await signImage(access, { signer, clock, time: ZERO_TIME });
    expect(access.toBuffer().equals(golden)).toBe(true);
  });

  it('makes the bytes of the golden DSSE image, two signatures in one envelope', async () => {
    const golden = sifFixture('images/deterministic-signed-dsse.sif');
    const access = new MemoryAccess(golden);
    await deleteObject(access, 4, { clock, zero: true, compact: true });
    const signer = dsseSigner([readPrivateKey(pem('ed25519')), readPrivateKey(pem('rsa2048'))]);
    await signImage(access, { signer, clock, time: ZERO_TIME });
    expect(access.toBuffer().equals(golden)).toBe(true);
  });

  it.each(['a', 'b', 'd'])('with key %s verifies', async (letter) => {
    const access = new MemoryAccess(sifFixture('images/multi-object.sif'));
    await signImage(access, { signer: await signerOf(letter), clock });
    const result = await verifyImage(access, { clock, pgp: [sifRing()] });
    expect(result.ok).toBe(true);
    expect(result.signatures.map(({ group }) => group)).toEqual([1, 2, 3]);
  });

  it.each(['ed25519', 'ecdsa-p256', 'rsa2048'])('with a PEM key %s verifies', async (name) => {
    const access = new MemoryAccess(sifFixture('images/unsigned.sif'));
    await signImage(access, { signer: dsseSigner([readPrivateKey(pem(name))]), clock });
    const dsse = [readPublicKey(sifPem(`keys/test-${name}.pub.pem`))];
    expect(await verifyImage(access, { clock, dsse })).toMatchObject({ ok: true });
  });

  it('names the key that a subkey belongs to', async () => {
    const access = new MemoryAccess(sifFixture('images/unsigned.sif'));
    await signImage(access, { signer: await signerOf('d'), clock });
    const { signatures } = await verifyImage(access, { clock, pgp: [sifRing()] });
    expect(signatures).toMatchObject([
      {
        signer: { fingerprint: '6BAC0209CA5D32FA0E99C68CBDF569AC4CD4FC21', keyId: 'D6B5BDB579BCF78E' },
      },
    ]);
  });

  it('signs one group, or one object alone', async () => {
    const access = new MemoryAccess(sifFixture('images/multi-object.sif'));
    await signImage(access, { signer: await signerOf('a'), clock, groups: [3] });
    await signImage(access, { signer: await signerOf('a'), clock, object: 5 });
    const pgp = [sifRing()];
    expect(await verifyImage(access, { clock, pgp, groups: [3] })).toMatchObject({ ok: true });
    expect(await verifyImage(access, { clock, pgp, objects: [5] })).toMatchObject({ ok: true });
    expect(await verifyImage(access, { clock, pgp, objects: [6] })).toMatchObject({ ok: false });
    expect(await verifyImage(access, { clock, pgp })).toMatchObject({
      failure: { message: 'signature not found for object group 1' },
    });
  });

  it('touches nothing but table, header and end of the image', async () => {
    const before = sifFixture('images/unsigned.sif');
    const access = new MemoryAccess(before);
    await signImage(access, { signer: await signerOf('a'), clock });
    const after = access.toBuffer();
    expect(after.subarray(32176, before.length).equals(before.subarray(32176))).toBe(true);
  });

  const refusals: [string, string, Partial<SignOptions>, string][] = [
    ['an image without groups', 'hostile/zero-capacity-short-file.sif', {}, 'no groups found'],
    ['group 0', 'images/unsigned.sif', { groups: [0] }, 'invalid group ID'],
    ['a group that is not there', 'images/unsigned.sif', { groups: [7] }, 'group not found'],
    ['an object that is not there', 'images/unsigned.sif', { object: 7 }, 'object not found'],
    ['a signature object', 'images/signed.sif', { object: 4 }, 'invalid group ID'],
    ['two objects with one id', 'hostile/id-duplicate.sif', {}, 'multiple objects found'],
    [
      'an object outside the file',
      'hostile/object-size-huge.sif',
      {},
      'data object integrity compromised: 1',
    ],
  ];

  it.each(refusals)('refuses %s and changes nothing', async (_what, name, options, message) => {
    const bytes = sifFixture(name);
    const access = new MemoryAccess(bytes);
    const signing = signImage(access, { signer: await signerOf('a'), clock, ...options });
    await expect(signing).rejects.toThrow(message);
    expect(access.toBuffer()).toEqual(bytes);
  });

  it('writes no signature at all when the table has no place for every one', async () => {
    const access = new MemoryAccess(sifFixture('hostile/ok-compact-table.sif'));
    for (const group of [2, 3])
      await addObject(access, { type: DataType.generic, data: Buffer.from('x'), group }, { clock });
    const before = access.toBuffer();
    const signing = signImage(access, { signer: await signerOf('a'), clock });
    await expect(signing).rejects.toMatchObject({ reason: 'sif_full', exitCode: 255 });
    expect(access.toBuffer()).toEqual(before);
  });

  it('changes nothing when the key cannot sign', async () => {
    const key = await generateKey({
      name: 'Locked',
      email: 'l@example.org',
      passphrase: 'x',
      algorithm: 'ed25519',
      clock,
    });
    for (const unusable of [key, await publicPart(key)]) {
      const bytes = sifFixture('images/unsigned.sif');
      const access = new MemoryAccess(bytes);
      const signing = signImage(access, { signer: pgpSigner({ key: unusable, clock }), clock });
      await expect(signing).rejects.toThrow('not unlocked for signing');
      expect(access.toBuffer()).toEqual(bytes);
    }
  });
});

describe('keys in PEM form', () => {
  it('have the names that OpenSSH gives them', () => {
    for (const name of ['ed25519', 'ecdsa-p256', 'rsa2048'])
      expect(keyIdOf(readPrivateKey(pem(name)))).toBe(
        keyIdOf(readPublicKey(sifPem(`keys/test-${name}.pub.pem`))),
      );
  });

  it.each([
    ['text', 'nothing', 'it cannot be read'],
    ['one with a passphrase', '-----BEGIN ENCRYPTED PRIVATE KEY-----', 'it has a passphrase'],
  ])('are not %s', (_what, text, message) => {
    expect(() => readPrivateKey(text)).toThrow(message);
  });

  it('are not private where a public one is asked for', () => {
    expect(() => readPublicKey(pem('ed25519'))).toThrow('it is a private key');
  });
});

it('a signature moved to another image does not verify there', async () => {
  const signed = new MemoryAccess(sifFixture('images/signed.sif'));
  const image = await readSif(signed);
  const other = signed.toBuffer();
  newImageId().copy(other, 48);
  expect(image.descriptors).toHaveLength(4);
  expect(await verifyImage(new MemoryAccess(other), { clock, pgp: [sifRing()] })).toMatchObject({
    failure: { message: 'header integrity compromised' },
  });
});
