import { execFile } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '#libs/core';
import { armorKey, generateKey, publicPart, type KeyAlgorithm, type PgpKey } from '#libs/pgp';
import { MemoryAccess, readSif, updateSifFile, withSifFile } from '#libs/sif';
import { dsseSigner, pgpSigner, signImage, verifyImage, type Selection, type Signer } from '#libs/signing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mutateField } from '../fuzz/targets.js';
import { Random } from '../fuzz/random.js';
import { sifIntegrity } from '../support/go-tools.js';
import { lacking, skipped } from '../support/needs.js';
import { expectedImages, SIF_FIXTURES, sifFixture } from '../support/sif-fixtures.js';

/*
 * Our signatures against the library that `singularity` has for them, in both directions: what one makes, the other verifies, and
 * what was changed, neither does.
 */

const run = promisify(execFile);
const noTool = lacking('go', 'flock');
// The other program signs by the clock of the machine.
const clock = systemClock;

let folder: string;
let program: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scs-integrity-'));
  if (noTool === undefined) program = await sifIntegrity();
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

interface TheirAnswer {
  readonly ok: boolean;
  readonly error: string;
  readonly signatures: readonly { id: number; fingerprint: string; verified: readonly number[] }[];
}

const path = (name: string): string => join(folder, name);
const tool = async (...args: string[]) => (await run(program, args, { maxBuffer: 64 * 1024 * 1024 })).stdout;
const theirAnswers = async (pgp: string, pem: string, option: string, images: readonly string[]) =>
  (await tool('verify', pgp, pem, option, ...images))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as TheirAnswer);

async function copyOf(name: string): Promise<string> {
  const copy = path(`${Math.random()}.sif`);
  await copyFile(join(SIF_FIXTURES, name), copy);
  return copy;
}

/** An OpenPGP key, and files that hold its parts. */
async function pgpKey(algorithm: KeyAlgorithm): Promise<{ key: PgpKey; secret: string; open: string }> {
  const key = await generateKey({ name: 'Ada', email: 'ada@example.org', passphrase: '', algorithm, clock });
  const [secret, open] = [path(`${algorithm}.secret.asc`), path(`${algorithm}.asc`)];
  await writeFile(secret, armorKey(key));
  await writeFile(open, armorKey(await publicPart(key)));
  return { key, secret, open };
}

const CURVES = { 'ecdsa-p256': 'prime256v1', 'ecdsa-p384': 'secp384r1', 'ecdsa-p521': 'secp521r1' } as const;
const PEM_KINDS = ['ed25519', 'rsa', ...(Object.keys(CURVES) as (keyof typeof CURVES)[])] as const;

async function pemKey(kind: (typeof PEM_KINDS)[number]): Promise<{ secret: string; open: string }> {
  const { privateKey, publicKey } = keyPair(kind);
  const [secret, open] = [path(`${kind}.key`), path(`${kind}.pem`)];
  await writeFile(secret, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(open, publicKey.export({ type: 'spki', format: 'pem' }));
  return { secret, open };
}

function keyPair(kind: (typeof PEM_KINDS)[number]) {
  if (kind === 'ed25519') return generateKeyPairSync('ed25519');
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  return generateKeyPairSync('ec', { namedCurve: CURVES[kind] });
}

const signWith = (image: string, signer: Signer, options: { groups?: number[]; object?: number } = {}) =>
  updateSifFile(image, (access) => signImage(access, { signer, clock, ...options }));

async function ourAnswer(image: string, open: PgpKey | string, selection: Selection = {}) {
  const keys =
    typeof open === 'string'
      ? { dsse: [createPublicKey(await readFile(open))] }
      : { pgp: [{ origin: 'local' as const, find: async () => [open] }] };
  return withSifFile(image, (access) => verifyImage(access, { clock, ...keys, ...selection }));
}

describe.skipIf(noTool)(`the stock library of signatures${skipped(noTool)}`, () => {
  it.each(['ed25519', 'rsa2048'] as const)(
    'and ours verify what the other made with an OpenPGP key: %s',
    async (algorithm) => {
      const { key, secret, open } = await pgpKey(algorithm);
      const ours = await copyOf('images/multi-object.sif');
      await signWith(ours, pgpSigner({ key, clock }));
      const theirs = await copyOf('images/multi-object.sif');
      await tool('sign', theirs, 'pgp', secret);
      const seen = await theirAnswers(open, '-', 'all', [ours, theirs]);
      for (const [index, image] of [ours, theirs].entries()) {
        const mine = await ourAnswer(image, await publicPart(key));
        expect(mine.failure).toBeUndefined();
        expect(seen[index]).toEqual({
          ok: true,
          error: '',
          signatures: mine.signatures.map(({ signatureId, signer, verified }) => ({
            id: signatureId,
            fingerprint: signer?.fingerprint.toLowerCase(),
            verified: verified.map(({ id }) => id),
          })),
        });
      }
    },
  );

  it.each(PEM_KINDS)('and ours verify what the other made with a PEM key: %s', async (kind) => {
    const { secret, open } = await pemKey(kind);
    const ours = await copyOf('images/unsigned.sif');
    await signWith(ours, dsseSigner([createPrivateKey(await readFile(secret))]));
    const theirs = await copyOf('images/unsigned.sif');
    await tool('sign', theirs, 'pem', secret);
    expect(
      (await theirAnswers('-', open, 'all', [ours, theirs])).map(({ ok, error }) => [ok, error]),
    ).toEqual([
      [true, ''],
      [true, ''],
    ]);
    for (const image of [ours, theirs]) expect((await ourAnswer(image, open)).ok).toBe(true);
  });

  it('and ours make the same bytes of the same key where the key lets them', async () => {
    const { secret } = await pemKey('ed25519');
    const signer = dsseSigner([createPrivateKey(await readFile(secret))]);
    const dataOf = async (image: string) => {
      const { descriptors } = await readSif(new MemoryAccess(await readFile(image)));
      const { offset, size } = descriptors.at(-1) ?? { offset: 0n, size: 0n };
      return (await readFile(image)).subarray(Number(offset), Number(offset + size)).toString();
    };
    const [ours, theirs] = [await copyOf('images/unsigned.sif'), await copyOf('images/unsigned.sif')];
    await signWith(ours, signer);
    await tool('sign', theirs, 'pem', secret);
    expect(await dataOf(ours)).toBe(await dataOf(theirs));
  });

  it.each([
    ['a group', { groups: [2] }, ['group', '2'], 'group=2', { groups: [2] }],
    ['an object', { object: 3 }, ['objects', '3'], 'object=3', { objects: [3] }],
  ] as const)('and ours sign and verify %s alone', async (_what, options, words, option, selection) => {
    const { key, secret, open } = await pgpKey('ed25519');
    const ours = await copyOf('images/multi-object.sif');
    await signWith(
      ours,
      pgpSigner({ key, clock }),
      'groups' in options ? { groups: [...options.groups] } : options,
    );
    const theirs = await copyOf('images/multi-object.sif');
    await tool('sign', theirs, 'pgp', secret, ...words);
    for (const asked of [option, 'all'])
      expect((await theirAnswers(open, '-', asked, [ours, theirs])).map(({ ok }) => ok)).toEqual(
        asked === 'all' ? [false, false] : [true, true],
      );
    for (const image of [ours, theirs]) {
      expect((await ourAnswer(image, await publicPart(key), selection)).ok).toBe(true);
      expect((await ourAnswer(image, await publicPart(key))).ok).toBe(false);
    }
  });

  it('and ours put several signatures on one image', async () => {
    const [ada, bob] = [await pgpKey('ed25519'), await pgpKey('rsa2048')];
    const image = await copyOf('images/unsigned.sif');
    await signWith(image, pgpSigner({ key: ada.key, clock }));
    await tool('sign', image, 'pgp', bob.secret);
    const [both, one] = [
      await theirAnswers(`${ada.open},${bob.open}`, '-', 'all', [image]),
      await theirAnswers(ada.open, '-', 'all', [image]),
    ];
    expect([both[0]?.ok, one[0]?.ok]).toEqual([true, false]);
    expect((await ourAnswer(image, await publicPart(ada.key))).ok).toBe(false);
  });

  it('answers for our fixtures what our golden answers say', async () => {
    const keys = ['a', 'b', 'd']
      .map((letter) => join(SIF_FIXTURES, `keys/test-key-${letter}.pub.asc`))
      .join();
    const asked = expectedImages().filter(([name]) => !name.endsWith('.gz'));
    const answers = await theirAnswers(
      keys,
      '-',
      'all',
      asked.map(([name]) => join(SIF_FIXTURES, name)),
    );
    const golden = asked.map(([name, { verify }]) => [
      name,
      verify.find(({ args }) => args.length === 1)?.ok,
    ]);
    expect(answers.map(({ ok }, index) => [asked[index]?.[0], ok])).toEqual(golden);
  });

  it('accepts everything that we accept of what was changed in 1500 images, and hardly anything else', async () => {
    const { key, open } = await pgpKey('rsa2048');
    const access = new MemoryAccess(sifFixture('images/compact.sif'));
    await signImage(access, { signer: pgpSigner({ key, clock }), clock });
    const signed = access.toBuffer();
    const seed = Number(process.env['SCS_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    const random = new Random(seed);
    const images: string[] = [];
    for (let index = 0; index < 1500; index += 1) {
      const changed = mutateField(signed, random);
      // The other library asks for memory for every descriptor that the header claims, and dies.
      if (changed.readBigInt64LE(88) > 100_000n) continue;
      const image = path(`changed-${index}.sif`);
      await writeFile(image, changed);
      images.push(image);
    }
    const theirs = await theirAnswers(open, '-', 'all', images);
    const publicKey = await publicPart(key);
    const differences: unknown[] = [];
    for (const [index, image] of images.entries()) {
      const mine = await ourAnswer(image, publicKey).then(
        ({ ok, failure }) => ({ ok, why: failure?.message }),
        (error: Error) => ({ ok: false, why: error.message }),
      );
      // What cannot be read safely is refused by us alone: a table or an object that lies where it cannot.
      const stricter = /^reading descriptors|cannot be used|is larger|Expected at most/.test(mine.why ?? '');
      if (mine.ok !== theirs[index]?.ok && !(stricter && !mine.ok))
        differences.push([seed, index, mine, theirs[index]]);
      await rm(image);
    }
    expect(differences).toEqual([]);
  }, 300_000);
});
