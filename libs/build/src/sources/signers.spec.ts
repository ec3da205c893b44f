import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseDefinition } from '#libs/deffile';
import { MemoryAccess, withSifFile } from '#libs/sif';
import { pgpSigner, signImage, verifyImage } from '#libs/signing';
import { SIF_FIXTURES, sifFixture } from '../../../../test/support/sif-fixtures.js';
import { FIXTURE_CLOCK, sifKey, sifRing } from '../../../../test/support/sif-keys.js';
import { WorkFolder } from '../work-folder.js';
import type { VerifyBase } from './base.js';
import { fetchBases } from './fetch.js';

const A = '1F4F38EC5FDB2A627E9237FEA4E241FB667D1318';
const B = '2CED450D6961640CB9FA187B1B5C94522B6529B4';

let folder: string;
let workFolder: WorkFolder;
let said: string[];
/** What was verified, and whether it had to be. */
let verified: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signers-'));
  await mkdir(join(folder, 'own'));
  workFolder = await WorkFolder.at(join(folder, 'work'));
  said = [];
  verified = [];
});
afterEach(async () => {
  vi.restoreAllMocks();
  await workFolder.remove();
  await rm(folder, { recursive: true });
});

const verify: VerifyBase = (path, { required }) => {
  verified.push(`${required ? 'required' : 'looked at'} ${path}`);
  return withSifFile(path, (access) => verifyImage(access, { pgp: [sifRing()], clock: FIXTURE_CLOCK }));
};

/** Fetches the bases of a definition; images of the fixtures are in the folder, and at the library. */
function fetch(text: string, options: { verify?: VerifyBase | undefined; verifyAll?: boolean } = {}) {
  return fetchBases(parseDefinition(text), {
    workFolder,
    pull: async (from) => {
      const path = join(workFolder.path, `pulled-${verified.length}.sif`);
      await copyFile(join(SIF_FIXTURES, 'images', `${from}.sif`), path);
      return path;
    },
    verify,
    verifyAll: false,
    localFiles: join(folder, 'own'),
    log: {
      info: (message) => void said.push(message),
      warning: (message) => void said.push(`WARNING ${message}`),
      output: () => undefined,
    },
    signal: undefined,
    ...options,
  });
}

const library = (from: string, fingerprints?: string): string =>
  `bootstrap: library\nfrom: ${from}\n${fingerprints === undefined ? '' : `fingerprints: ${fingerprints}\n`}`;

describe('fingerprints: of a base', () => {
  it.each([
    ['signed', A],
    ['twice-signed', `${A},${B}`],
    ['twice-signed', `0x${B.toLowerCase()} , ${A.replace(/(....)/g, '$1 ')}`],
    ['multi-group-signed', A],
  ])('are those who signed all of it: %s', async (image, fingerprints) => {
    expect(Object.keys(await fetch(library(image, fingerprints)))).toHaveLength(1);
    expect(verified).toEqual([expect.stringMatching(/^required /)]);
  });

  it.each([
    ['signed', `${A},${B}`, 'image not signed by required entities'],
    ['signed', B, 'image not signed by required entities'],
    ['unsigned', A, 'while checking fingerprint: integrity: signature not found'],
    ['multi-group-signed-g1-only', A, 'signature not found for object group 2'],
    ['twice-signed-one-unknown', A, 'signature object 5 not valid'],
    ['signed', A.slice(-16), 'Expected a whole fingerprint of 40 digits'],
  ])('stop the build otherwise: %s by %s', async (image, fingerprints, message) => {
    await expect(fetch(library(image, fingerprints))).rejects.toThrow(message);
  });

  it('are not those who signed a part of it', async () => {
    const partly: VerifyBase = async (path) => {
      const access = new MemoryAccess(await readFile(path));
      const signer = pgpSigner({ key: await sifKey('b', 'secret'), clock: FIXTURE_CLOCK });
      await signImage(access, { signer, clock: FIXTURE_CLOCK, groups: [2] });
      return verifyImage(access, { pgp: [sifRing()], clock: FIXTURE_CLOCK });
    };
    await fetch(library('multi-group-signed', A), { verify: partly });
    await expect(fetch(library('multi-group-signed', B), { verify: partly })).rejects.toMatchObject({
      message: expect.stringContaining('required entities') as string,
      remedy: `Not signed, or not all of it, by: ${B}`,
    });
  });

  it('are checked for each stage, also when the base is the same', async () => {
    const stages = `${library('signed')}stage: one\n%post\ntrue\n${library('signed', B)}stage: two\n`;
    await expect(fetch(stages)).rejects.toThrow('required entities');
  });

  it('are checked for files of this machine, in a copy that nobody else changes', async () => {
    // Whoever is not root could use the file where it is.
    vi.spyOn(process as { getuid: () => number }, 'getuid').mockReturnValue(1000);
    await writeFile(join(folder, 'own/base.sif'), sifFixture('images/signed.sif'));
    const text = `bootstrap: localimage\nfrom: base.sif\nfingerprints: ${A}\n`;
    const [path = ''] = Object.values(await fetch(text));
    expect(path.startsWith(`${workFolder.path}/`)).toBe(true);
    expect(verified).toEqual([`required ${path}`]);
    expect((await readFile(path)).equals(sifFixture('images/signed.sif'))).toBe(true);
    await expect(fetch(text.replace(A, B))).rejects.toThrow('required entities');
  });

  it('say nothing about what cannot be signed, and that is told', async () => {
    await mkdir(join(folder, 'own/root'));
    await fetch(`bootstrap: localimage\nfrom: root\nfingerprints: ${A}\n`);
    expect(said).toEqual([expect.stringContaining('WARNING fingerprints: says nothing about root')]);
    expect(verified).toEqual([]);
  });

  it('are never skipped where nobody can verify', async () => {
    await expect(fetch(library('signed', A), { verify: undefined })).rejects.toThrow(
      'The signers of signed cannot be checked here',
    );
    await fetch(library('signed'), { verify: undefined });
  });
});

describe('a base of which nobody is required', () => {
  it.each([
    ['signed', undefined, []],
    ['unsigned', '', []],
    ['unsigned', undefined, []],
    [
      'twice-signed-one-unknown',
      undefined,
      [expect.stringContaining('WARNING Bootstrap image could not be verified, but build will continue')],
    ],
  ])('is looked at where that is wanted, and a bad signature is a warning: %s', async (image, text, told) => {
    await fetch(library(image, text), { verifyAll: true });
    expect(said.filter((line) => line.startsWith('WARNING'))).toEqual(told);
    expect(verified).toEqual([expect.stringMatching(/^looked at /)]);
  });

  it('is not looked at elsewhere', async () => {
    await fetch(library('twice-signed-one-unknown'));
    expect(verified).toEqual([]);
  });
});
