import { MemoryAccess, readSif } from '#libs/sif';
import { describe, expect, it } from 'vitest';
import { sifFixture } from '../../../test/support/sif-fixtures.js';
import { FIXTURE_CLOCK, sifKey, sifPem, sifRing } from '../../../test/support/sif-keys.js';
import { coverageOf, signersOf } from './coverage.js';
import { readPublicKey } from './dsse/key.js';
import { coverageSentences, resultJson } from './report.js';
import { claimedSigners } from './required.js';
import { signImage } from './sign.js';
import { pgpSigner } from './signer.js';
import { verifyImage, type VerifyOptions } from './verify.js';

const clock = FIXTURE_CLOCK;
const A = '1F4F38EC5FDB2A627E9237FEA4E241FB667D1318';
const B = '2CED450D6961640CB9FA187B1B5C94522B6529B4';
const verify = async (name: string, options: Partial<VerifyOptions> = {}) =>
  verifyImage(new MemoryAccess(sifFixture(name)), { clock, pgp: [sifRing()], outside: true, ...options });
const states = async (name: string, options: Partial<VerifyOptions> = {}) =>
  coverageOf(await verify(name, options)).map(({ descriptor, state }) => `${descriptor.id} ${state}`);
const sentences = async (name: string, options: Partial<VerifyOptions> = {}) =>
  coverageSentences(await verify(name, options)).map(({ text }) => text);

describe('what is covered, object by object', () => {
  it('is everything in an image that is signed', async () => {
    expect(await states('images/signed.sif')).toEqual(['1 covered', '2 covered', '3 covered']);
    expect(await sentences('images/signed.sif')).toEqual([]);
    const [first] = coverageOf(await verify('images/twice-signed.sif'));
    expect(first?.signatures.map(({ signer }) => signer?.fingerprint)).toEqual([A, B]);
  });

  it('names an overlay that was added after the signature', async () => {
    expect(await sentences('tampered/overlay-added.sif')).toEqual([
      'Not named by a signature of its group: 5 FS (Squashfs/Overlay/amd64)',
      'Not checked: 1 Def.FILE, 2 JSON.Generic, 3 FS (Squashfs/*System/amd64)',
    ]);
  });

  it('names what nobody signed, also when only the signed group was asked for', async () => {
    const options = { groups: [1] };
    expect(await verify('tampered/object-added-new-group.sif', options)).toMatchObject({ ok: true });
    expect(await sentences('tampered/object-added-new-group.sif', options)).toEqual([
      'Signed by nobody: 5 Generic/Raw',
    ]);
    expect(await sentences('tampered/object-added-no-group.sif')).toEqual([
      'Signed by nobody: 5 Generic/Raw',
      'Not checked: 1 Def.FILE, 2 JSON.Generic, 3 FS (Squashfs/*System/amd64)',
    ]);
    expect(await sentences('images/with-overlay-other-group.sif')).toEqual([
      'Signed by nobody: 1 Def.FILE, 2 JSON.Generic, 3 FS (Squashfs/*System/amd64), 4 FS (Squashfs/Overlay/amd64)',
    ]);
  });

  it('tells an object that was not asked about from one that nobody signed', async () => {
    expect(await states('images/multi-group-signed-g1-only.sif', { groups: [1] })).toContain('4 unsigned');
    expect(await states('images/multi-group-signed.sif', { groups: [1] })).toContain('4 not_checked');
    expect(await states('images/multi-group-signed.sif', { groups: [1] })).toContain('3 covered');
  });

  it('tells what was changed', async () => {
    expect(await states('tampered/data-fs.sif')).toEqual(['1 covered', '2 covered', '3 changed']);
    expect(await states('tampered/descriptor-name.sif')).toEqual(['1 covered', '2 changed', '3 not_checked']);
    expect(await states('tampered/header-uuid.sif')).toEqual([
      '1 not_checked',
      '2 not_checked',
      '3 not_checked',
    ]);
  });

  it('names the key of a DSSE envelope', async () => {
    const dsse = [readPublicKey(sifPem('keys/test-ed25519.pub.pem'))];
    const result = await verify('images/signed-pgp-and-dsse.sif', { dsse });
    expect(JSON.parse(resultJson(result))).toMatchObject({
      Objects: [
        { State: 'covered', SignedBy: [A.toLowerCase(), expect.stringMatching(/^SHA256:/)] },
        { State: 'covered' },
        { State: 'covered' },
      ],
    });
  });

  it('names no more objects than a person reads', async () => {
    const access = new MemoryAccess(sifFixture('images/multi-object.sif'));
    const result = await verifyImage(access, { clock });
    const many = {
      ...result,
      image: { ...result.image, descriptors: [...result.image.descriptors, ...result.image.descriptors] },
    };
    expect(coverageSentences(many).map(({ text }) => text)).toEqual([
      expect.stringMatching(/^Signed by nobody: 1 Def.FILE, .* and 2 more$/),
    ]);
  });
});

describe('who signed', () => {
  it('an image: those who signed every group, and those who signed any', async () => {
    expect(signersOf(await verify('images/multi-group-signed.sif'))).toEqual({
      everything: [A],
      anything: [A],
    });
    expect(signersOf(await verify('images/twice-signed.sif'))).toEqual({
      everything: [A, B],
      anything: [A, B],
    });
    const access = new MemoryAccess(sifFixture('images/multi-group-signed.sif'));
    await signImage(access, {
      signer: pgpSigner({ key: await sifKey('b', 'secret'), clock }),
      clock,
      groups: [2],
    });
    const result = await verifyImage(access, { clock, pgp: [sifRing()] });
    expect(signersOf(result)).toEqual({ everything: [A], anything: [A, B] });
  });

  it('is nobody when a signature is bad, whatever the descriptors claim', async () => {
    for (const name of ['tampered/data-fs.sif', 'images/twice-signed-one-unknown.sif', 'images/unsigned.sif'])
      expect(signersOf(await verify(name))).toEqual({ everything: [], anything: [] });
  });
});

describe('what no signature covers', () => {
  it.each([
    ['descriptor-duplicated-same-id', /2 objects have the id 1/],
    ['descriptor-mtime', /Object 3: it was modified before it was created/],
    ['descriptor-size-with-padding', /Object 3: its size with padding/],
    ['descriptor-used-0xff', /Object 1: its used byte/],
    ['foreign-signature-object', /Object 5: it is a signature of nothing/],
    ['gap-data', /The bytes 128 to 4096, between header and table, hold data/],
    ['group-mask-all-objects', /Object 1: its group number lacks the usual mask/],
    ['header-arch', /architecture arm64/],
    ['header-data-offset-size', /data section of the header/],
    ['header-times', /younger than the time of modification/],
    ['ids-shifted', /Object 11 is in descriptor 1/],
    ['moved-data', /Object 3: its size with padding 11577 does not fit its place/],
    ['one-signature-removed', /behind the last object, hold data/],
    ['trailing-data', /behind the last object, hold data/],
  ])('is told of undetected/%s, which still verifies', async (name, warning) => {
    const { ok, outside } = await verify(`undetected/${name}.sif`);
    expect([ok, outside.join('\n')]).toEqual([true, expect.stringMatching(warning)]);
  });

  // Group 1 became group 2 everywhere: an image that was made so looks the same.
  it('cannot be told of an image whose groups were renumbered', async () => {
    expect(await verify('undetected/regrouped.sif')).toMatchObject({ ok: true, outside: [] });
  });

  it('tells of an object that says it is younger than its signature', async () => {
    const access = new MemoryAccess(sifFixture('tampered/base-signed.sif'));
    const later = Buffer.alloc(8);
    later.writeBigInt64LE(1795499745n + 3600n);
    await access.write(later, 4096 + 49);
    await access.write(later, 72);
    const result = await verifyImage(access, { clock, pgp: [sifRing()], outside: true });
    expect(result).toMatchObject({ ok: true });
    expect(result.outside).toEqual(['Object 1 says that it was modified after signature 4 was made']);
  });

  it('is nothing in images of the stock tools', async () => {
    for (const name of [
      'signed',
      'twice-signed',
      'multi-group-signed',
      'signed-gpg-sha512',
      'oci-sif',
      'from-oci',
    ])
      expect([name, (await verify(`images/${name}.sif`)).outside]).toEqual([name, []]);
    expect((await verify('tampered/base-signed.sif', { outside: false })).outside).toEqual([]);
  });
});

describe('what signatures claim', () => {
  it('is told once each, and is no proof of anything', () => {
    const image = (name: string) => readSif(new MemoryAccess(sifFixture(name)));
    return Promise.all(
      (
        [
          ['images/twice-signed.sif', [A, B]],
          ['images/multi-group-signed.sif', [A]],
          ['images/unsigned.sif', []],
          ['tampered/data-fs.sif', [A]],
        ] as const
      ).map(async ([name, claims]) => {
        expect([name, claimedSigners(await image(name))]).toEqual([
          name,
          claims.map((one) => one.toLowerCase()),
        ]);
      }),
    );
  });
});
