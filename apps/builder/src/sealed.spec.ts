import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary.js';
import { Seal } from './sealed.js';

describe('the seal of tokens', () => {
  let folder: string;
  let remove: () => Promise<void>;
  beforeEach(async () => {
    ({ path: folder, remove } = await temporaryFolder());
  });
  afterEach(() => remove());

  it('is made once, whoever is first, for the owner alone', async () => {
    const seals = await Promise.all(Array.from({ length: 10 }, async () => Seal.open(folder)));
    const sealed = seals[0]?.seal('token', 'a') ?? '';
    for (const seal of [...seals, await Seal.open(folder)]) expect(seal.unseal(sealed, 'a')).toBe('token');
    expect((await stat(join(folder, 'seal.key'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(folder, 'seal.key'))).toHaveLength(32);
  });

  it('opens for its own build only, and not when it was touched', async () => {
    const seal = await Seal.open(folder);
    const sealed = seal.seal('token', 'a');
    expect(() => seal.unseal(sealed, 'b')).toThrow(/auth/);
    const bytes = Buffer.from(sealed, 'base64');
    bytes.writeUInt8(bytes.readUInt8(30) ^ 1, 30);
    expect(() => seal.unseal(bytes.toString('base64'), 'a')).toThrow(/auth/);
  });

  it('says what to do about a key that is none', async () => {
    await writeFile(join(folder, 'seal.key'), 'short');
    await expect(Seal.open(folder)).rejects.toMatchObject({
      reason: 'bad_seal_key',
      remedy: expect.stringContaining('backup') as unknown,
    });
  });
});
