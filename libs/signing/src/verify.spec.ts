import { ManualClock } from '#libs/core';
import { fingerprintOf, readKeys, type PgpKey } from '#libs/pgp';
import { MemoryAccess, addObject, DataType, readSif } from '#libs/sif';
import { describe, expect, it } from 'vitest';
import { expectedImages, sifFixture, sifFixtureNames } from '../../../test/support/sif-fixtures.js';
import { FIXTURE_CLOCK, sifKey, sifPem, sifRing, verifyOptions } from '../../../test/support/sif-keys.js';
import { goodSigners, signersOf } from './coverage.js';
import { hexDigest } from './digest.js';
import { readPublicKey } from './dsse/key.js';
import { descriptorIntegrityBytes, headerIntegrityBytes, relativeIdOf } from './integrity.js';
import { pgpSigner, type Signer } from './signer.js';
import { signImage } from './sign.js';
import { verifyImage, type VerifyOptions } from './verify.js';

const clock = FIXTURE_CLOCK;
const local: VerifyOptions = { clock, pgp: [sifRing()] };
const verify = async (name: string, options: VerifyOptions = local) =>
  verifyImage(new MemoryAccess(sifFixture(name)), options);

describe('what is hashed', () => {
  it.each(expectedImages())('is for %s what independent tools hash', async (name, { parsed }) => {
    const image = await readSif(new MemoryAccess(sifFixture(name)));
    expect(hexDigest('sha256', headerIntegrityBytes(image.header))).toBe(parsed.headerIntegritySha256);
    const digests = image.descriptors.map((one) =>
      hexDigest('sha256', descriptorIntegrityBytes(one, relativeIdOf(image, one))),
    );
    expect(digests).toEqual(parsed.objects.map((object) => object.descriptorIntegritySha256));
  });
});

describe('verifyImage', () => {
  const variants = expectedImages().flatMap(([name, { verify }]) =>
    verify.map((expected) => ({ name, args: expected.args.join(' '), expected })),
  );

  it.each(variants)('answers $name $args like the stock program', async ({ name, expected }) => {
    const result = await verifyOptions(expected.args).then(
      (options) => verify(name, options),
      ({ message }: Error) => ({
        ok: false,
        failure: { message: message.replace('Failed to verify container: ', '') },
        signatures: [],
      }),
    );
    const detail = /(signature object \d+ not valid|unknown authority|incompatible key usage).*/;
    expect({
      ok: result.ok,
      error: (result.failure?.message ?? '').replace(detail, '$1'),
      objects: result.signatures.flatMap(({ verified }) => verified.map(({ id }) => id)),
      signers: result.signatures.flatMap(({ signer }) => signer?.fingerprint ?? []),
    }).toEqual({
      ok: expected.ok,
      error: expected.error.replace(/^integrity: /, '').replace(detail, '$1'),
      objects: expected.verifiedObjects,
      signers: expected.signers,
    });
  });

  it.each([
    ['signed-gpg-sha1.sif', 'Expected SHA-224, SHA-256, SHA-384 or SHA-512, got number 2'],
    ['signed-unknown-key.sif', 'the key DBAE78175F8D4B54 is not in the key ring'],
    ['signed-certonly-primary.sif', 'Could not find valid signing key'],
  ])('says of %s why the signature is not valid', async (name, why) => {
    const { failure } = await verify(`images/${name}`);
    expect(failure).toMatchObject({ reason: 'signature_not_valid', message: expect.stringContaining(why) });
  });

  it('takes nothing for signed that an RSA key of 1024 bits signed', async () => {
    const openpgp = await import('openpgp');
    const config = { minRSABits: 1024 };
    const date = new Date('2026-11-24T12:00:00Z');
    const weak = await openpgp.generateKey({
      type: 'rsa',
      rsaBits: 1024,
      userIDs: [{ name: 'Weak' }],
      format: 'object',
      date,
      config,
    });
    const [key] = await readKeys(weak.publicKey.armor());
    const signer: Signer = {
      sign: async (metadata) => {
        const message = await openpgp.createCleartextMessage({ text: metadata });
        const signed = await openpgp.sign({ message, signingKeys: weak.privateKey, date, config });
        return {
          data: Buffer.from(signed),
          hashType: 1,
          entity: Buffer.from(fingerprintOf(key as PgpKey), 'hex'),
        };
      },
    };
    const access = new MemoryAccess(sifFixture('images/unsigned.sif'));
    await signImage(access, { signer, clock });
    const ring = { origin: 'local', find: async () => [key as PgpKey] } as const;
    expect(await verifyImage(access, { clock, pgp: [ring] })).toMatchObject({
      ok: false,
      failure: { reason: 'signature_not_valid', message: expect.stringMatching(/2047|too weak/) },
    });
  });

  it('accepts an image with PGP and DSSE signatures when it gets both kinds of keys', async () => {
    const dsse = [readPublicKey(sifPem('keys/test-ed25519.pub.pem'))];
    const result = await verify('images/signed-pgp-and-dsse.sif', { ...local, dsse });
    expect(result).toMatchObject({ ok: true, signatures: [{ kind: 'pgp' }, { kind: 'dsse' }] });
  });

  it('fails --all for one object that is not signed (CVE-2020-13846)', async () => {
    const access = new MemoryAccess(sifFixture('images/signed.sif'));
    const data = Buffer.from('echo pwned');
    await addObject(access, { type: DataType.generic, data, group: 1 }, { clock });
    for (const all of [true, false])
      expect(await verifyImage(access, { ...local, all })).toMatchObject({
        ok: false,
        failure: { message: 'object 5: object not signed' },
      });
  });

  it('refuses text around the signed message, which the stock program ignores', async () => {
    const access = new MemoryAccess(sifFixture('images/unsigned.sif'));
    const signer = pgpSigner({ key: await sifKey('a', 'secret'), clock });
    for (const around of [
      (data: Buffer) => Buffer.concat([Buffer.from('approved by A\n'), data]),
      (data: Buffer) => Buffer.concat([data, Buffer.from('\napproved by A')]),
    ]) {
      const junk = {
        sign: async (metadata: string) => {
          const signature = await signer.sign(metadata);
          return { ...signature, data: around(signature.data) };
        },
      };
      const target = new MemoryAccess(access.toBuffer());
      await signImage(target, { signer: junk, clock });
      expect(await verifyImage(target, local)).toMatchObject({
        failure: { reason: 'signature_not_valid', message: expect.stringContaining('stand') },
      });
    }
  });

  it.each([
    [1024 * 1024, 'signature format not recognized'],
    [1024 * 1024 + 1, 'Expected at most 1048576 bytes'],
  ])('loads signatures of up to 1 MiB: %i', async (size, message) => {
    const access = new MemoryAccess(sifFixture('images/unsigned.sif'));
    const filler = {
      sign: async () => ({ data: Buffer.alloc(size, 'x'), hashType: 1, entity: Buffer.alloc(20, 1) }),
    };
    await signImage(access, { signer: filler, clock });
    const { failure } = await verifyImage(access, local);
    expect(failure?.message).toContain(message);
  });

  it('judges keys and signatures by the clock', async () => {
    const early: VerifyOptions = { ...local, clock: new ManualClock('2026-11-01T00:00:00Z') };
    expect(await verify('images/signed.sif', early)).toMatchObject({ ok: false });
  });
});

describe('where keys come from', () => {
  const unsigned = { origin: 'global', find: async () => [] } as const;

  it('asks one source after the other, and says which one knew the key', async () => {
    const remote = { ...sifRing(['c']), origin: 'remote' } as const;
    const result = await verify('images/twice-signed-one-unknown.sif', {
      clock,
      pgp: [unsigned, sifRing(), remote],
    });
    expect(result.signatures.map(({ signer }) => signer?.origin)).toEqual(['local', 'remote']);
    expect(result.ok).toBe(true);
  });

  it('takes a server that does not answer for one that knows nothing, with a warning', async () => {
    const broken = {
      origin: 'remote',
      find: () => Promise.reject(new Error('connection refused')),
    } as const;
    const result = await verify('images/signed-unknown-key.sif', { clock, pgp: [broken] });
    expect(result.warnings).toEqual(['failed to get key material: connection refused']);
    expect(result.failure?.message).toContain('signature made by unknown entity');
  });

  it('asks for each key once', async () => {
    let asked = 0;
    const counting = {
      ...sifRing(),
      find: (keyId: string) => {
        asked += 1;
        return sifRing().find(keyId);
      },
    };
    await verify('images/multi-group-signed.sif', { clock, pgp: [counting] });
    expect(asked).toBe(1);
  });
});

describe('verifyImage of hostile images', () => {
  // Those that cannot be opened are refused by readSif, with tests there.
  const answers = new Map([
    ['dfree-equals-dtotal', 'no objects in image'],
    ['group-mask-only', 'non-signature object not associated with object group'],
    ['group-zero-no-mask', 'non-signature object not associated with object group'],
    ['signature-hashtype-0', 'signature format not recognized'],
    ['signature-size-huge', 'signature object 4 not valid'],
    ['signature-size-negative', 'signature object 4 not valid'],
    ['zero-capacity-short-file', 'no groups found'],
  ]);
  const refused = /bad-magic|magic-|version-|empty-file|truncated-header|doff-|dsize-(neg|zero)|dtotal-/;
  const names = sifFixtureNames('hostile').filter((name) => !refused.test(name));

  it.each(names)('refuses %s', async (name) => {
    const key = name.slice('hostile/'.length, -'.sif'.length);
    const { ok, failure } = await verify(name);
    expect(ok).toBe(false);
    expect(failure?.message).toContain(answers.get(key) ?? 'signature not found for object group 1');
  });
});

describe('every signature', () => {
  const everySignature = true;

  it('is reported, behind one that is not good too; the first failure is the answer', async () => {
    const one = await verify('images/twice-signed.sif', { clock, pgp: [sifRing(['b'])] });
    expect(one.signatures).toHaveLength(1);
    const all = await verify('images/twice-signed.sif', { clock, pgp: [sifRing(['b'])], everySignature });
    expect(all.signatures.map(({ failure }) => failure?.reason)).toEqual(['signature_not_valid', undefined]);
    expect(all.failure).toEqual(one.failure);
    expect(all.ok).toBe(false);
    expect(goodSigners(all).everything).toEqual(['2CED450D6961640CB9FA187B1B5C94522B6529B4']);
    expect(signersOf(all).anything).toEqual([]);
  });

  it('of an image with a group that nobody signed makes nobody a signer of all of it', async () => {
    const result = await verify('images/multi-group-signed-g1-only.sif', { ...local, everySignature });
    expect(result.failure?.reason).toBe('signature_not_found');
    expect(goodSigners(result).everything).toEqual([]);
    expect(goodSigners(result).anything).toHaveLength(1);
  });

  it('is compared with digests that are known, and makes those known that were not', async () => {
    const digests = new Map<string, string>();
    const options = { ...local, digests };
    expect((await verify('images/signed.sif', options)).ok).toBe(true);
    expect(digests.size).toBeGreaterThan(0);
    for (const key of digests.keys()) digests.set(key, 'f'.repeat(64));
    expect((await verify('images/signed.sif', options)).failure?.reason).toBe('data_compromised');
  });
});
