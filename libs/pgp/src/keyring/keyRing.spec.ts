import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManualClock } from '#libs/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIF_FIXTURES } from '../../../../test/support/sif-fixtures.js';
import { temporaryFolder } from '../../../../test/support/temporary.js';
import { generateKey } from '../generate.js';
import { fingerprintOf, isSecret, readKey, readKeys, type PgpKey } from '../key.js';
import { publicPart } from '../publicPart.js';
import { KeyRing } from './keyRing.js';
import { mergeCertificates } from './merge.js';

const clock = new ManualClock('2026-11-25T12:00:00Z');
const A = '1F4F38EC5FDB2A627E9237FEA4E241FB667D1318';
const B = '2CED450D6961640CB9FA187B1B5C94522B6529B4';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let warnings: string[];
let ring: KeyRing;
beforeEach(async () => {
  folder = await temporaryFolder();
  warnings = [];
  ring = new KeyRing(join(folder.path, 'home/.singularity/sypgp'), (text) => warnings.push(text));
});
afterEach(() => folder.remove());

const keys = (letter: string, part = 'pub') =>
  readKeys(readFileSync(`${SIF_FIXTURES}/keys/test-key-${letter}.${part}.asc`));
const secret = (letter: string) => keys(letter, 'SECRET-test-only');
const mode = async (path: string) => (await stat(path)).mode & 0o777;
const fingerprints = async (kind: 'public' | 'secret') => (await ring.keys(kind)).map(fingerprintOf);

describe('KeyRing', () => {
  it('is empty before there is one', async () => {
    expect(await ring.keys('public')).toEqual([]);
    expect(await ring.publicKeysById('A4E241FB667D1318')).toEqual([]);
  });

  it('stores the bytes that came, one certificate after the other, for their owner alone', async () => {
    const old = process.umask(0);
    try {
      await ring.import([...(await keys('a')), ...(await secret('b'))]);
    } finally {
      process.umask(old);
    }
    const [a] = await keys('a');
    const stored = await readFile(ring.path('public'));
    expect(stored.subarray(0, a?.bytes.length)).toEqual(Buffer.from(a?.bytes ?? []));
    expect(await fingerprints('public')).toEqual([A, B]);
    expect(await fingerprints('secret')).toEqual([B]);
    expect((await ring.keys('public')).some(isSecret)).toBe(false);
    expect(await mode(ring.folder)).toBe(0o700);
    expect(await mode(join(ring.folder, '..'))).toBe(0o700);
    expect(await mode(ring.path('public'))).toBe(0o600);
    expect(await mode(ring.path('secret'))).toBe(0o600);
    expect((await readdir(ring.folder)).toSorted()).toEqual(['pgp-public', 'pgp-secret']);
  });

  it('finds keys by the id of primary key and subkey', async () => {
    await ring.import([...(await keys('a')), ...(await keys('d'))]);
    const found = await ring.publicKeysById('D6B5BDB579BCF78E');
    expect(found.map(fingerprintOf)).toEqual(['6BAC0209CA5D32FA0E99C68CBDF569AC4CD4FC21']);
  });

  it('says what became of every key', async () => {
    expect(await ring.import(await secret('a'))).toEqual([
      { fingerprint: A, kind: 'public', status: 'added' },
      { fingerprint: A, kind: 'secret', status: 'added' },
    ]);
    const again = await ring.import(await secret('a'));
    expect(again.map(({ status }) => status)).toEqual(['unchanged', 'unchanged']);
  });

  it('removes one key from one file', async () => {
    await ring.import([...(await secret('a')), ...(await secret('b'))]);
    await ring.remove('secret', A.toLowerCase());
    expect(await fingerprints('secret')).toEqual([B]);
    expect(await fingerprints('public')).toEqual([A, B]);
    await expect(ring.remove('secret', A)).rejects.toMatchObject({ reason: 'pgp_key_not_found' });
  });

  it('loses no key of twenty imports at once', async () => {
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        generateKey({
          name: `Key ${index}`,
          email: 'k@example.org',
          passphrase: '',
          algorithm: 'ed25519',
          clock,
        }),
      ),
    );
    await Promise.all(made.map((key) => new KeyRing(ring.folder).import([key])));
    expect((await fingerprints('secret')).toSorted()).toEqual(made.map(fingerprintOf).toSorted());
    expect(await fingerprints('public')).toHaveLength(20);
  });

  it('closes secret keys that others could read, and says so', async () => {
    await ring.import(await secret('a'));
    await chmod(ring.path('secret'), 0o644);
    await chmod(ring.folder, 0o755);
    expect(await fingerprints('secret')).toEqual([A]);
    await ring.import(await keys('b'));
    expect(await mode(ring.path('secret'))).toBe(0o600);
    expect(await mode(ring.folder)).toBe(0o700);
    expect(warnings).toEqual([
      expect.stringContaining('(mode 0644): the mode is 0600 now'),
      expect.stringContaining('its mode is 0700 now'),
    ]);
  });

  it('keeps a key it cannot read, and reports it', async () => {
    await ring.import(await keys('a'));
    const odd = Buffer.from([0xc6, 6, 99, 0, 0, 0, 0, 1]);
    await writeFile(ring.path('public'), Buffer.concat([await readFile(ring.path('public')), odd]));
    await ring.import(await keys('b'));
    expect((await readFile(ring.path('public'))).includes(odd)).toBe(true);
    expect(await fingerprints('public')).toEqual([A, B]);
    expect(warnings).toEqual([expect.stringContaining('is left out')]);
  });

  it('does not touch a damaged ring', async () => {
    await ring.import(await keys('a'));
    const damaged = (await readFile(ring.path('public'))).subarray(0, -5);
    await writeFile(ring.path('public'), damaged);
    await expect(ring.import(await keys('b'))).rejects.toMatchObject({ reason: 'pgp_damaged_ring' });
    expect(await readFile(ring.path('public'))).toEqual(damaged);
  });

  it('writes through a link instead of replacing it', async () => {
    await mkdir(ring.folder, { recursive: true, mode: 0o700 });
    const target = join(folder.path, 'synchronised');
    await writeFile(target, '', { mode: 0o600 });
    await symlink(target, ring.path('public'));
    await ring.import(await keys('a'));
    expect((await readFile(target)).length).toBeGreaterThan(500);
  });

  it('reads a ring in armor', async () => {
    await mkdir(ring.folder, { recursive: true, mode: 0o700 });
    await writeFile(ring.path('public'), readFileSync(`${SIF_FIXTURES}/keys/test-key-b.pub.asc`));
    expect(await fingerprints('public')).toEqual([B]);
  });
});

describe('merging two versions of a key', () => {
  const versions = async (): Promise<{ plain: PgpKey; revoked: PgpKey; longer: PgpKey }> => {
    const openpgp = await import('openpgp');
    const key = await generateKey({
      name: 'Ada',
      email: 'ada@example.org',
      passphrase: '',
      algorithm: 'ed25519',
      clock,
    });
    if (!isSecret(key)) throw new Error('not secret');
    const { publicKey } = await openpgp.revokeKey({ key: key.key, date: clock.now(), format: 'binary' });
    const subkey = await key.key.addSubkey({ type: 'ecc', curve: 'ed25519Legacy', sign: true });
    return {
      plain: await publicPart(key),
      revoked: await readKey(publicKey),
      longer: await readKey(subkey.toPublic().write()),
    };
  };

  it('brings a revocation and new subkeys in, whichever comes first', async () => {
    const { plain, revoked, longer } = await versions();
    for (const order of [
      [plain, revoked, longer],
      [longer, revoked, plain],
      [revoked, longer, revoked],
    ]) {
      const merged = order.map(({ bytes }) => bytes).reduce(mergeCertificates);
      const { key } = await readKey(merged);
      expect(await key.isRevoked(undefined, undefined, clock.now())).toBe(true);
      expect(key.subkeys).toHaveLength(2);
    }
  });

  it('gives the same bytes back when nothing is new', async () => {
    const { plain, longer } = await versions();
    expect(mergeCertificates(longer.bytes, plain.bytes)).toBe(longer.bytes);
  });

  it('never lets an older version take a revocation away', async () => {
    const { plain, revoked } = await versions();
    await ring.import([revoked]);
    expect(await ring.import([plain])).toMatchObject([{ status: 'unchanged' }]);
    const [key] = await ring.keys('public');
    expect(await key?.key.isRevoked(undefined, undefined, clock.now())).toBe(true);
  });
});
