import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineCommand } from '#libs/cli';
import { DomainError, placeFile, systemClock, systemCode } from '#libs/core';
import { SIF_FAILURE } from './open.js';

export const sifNew = defineCommand({
  name: 'new',
  summary: 'make an image without objects',
  positionals: [{ name: 'image', summary: 'SIF file to make' }],
  flags: { force: { type: 'boolean', short: 'F', summary: 'replace a file that is there' } },
  flagsAnywhere: true,
  failureStatus: SIF_FAILURE,
  examples: [{ line: 'sing sif new data.sif', summary: 'start an image of your own' }],
  async run({ args, flags, cwd }) {
    const { createSif, FileAccess } = await import('#libs/sif');
    const path = resolve(cwd, args.image);
    const there = await statusOf(path);
    // Scripts make an empty file first, to have a name of their own: nothing is lost with that, and who may read it stays.
    if (!flags.force && there !== undefined && there.size > 0)
      throw new DomainError('conflict', `${args.image} exists already`, {
        reason: 'file_exists',
        remedy: 'Replace it with --force',
      });
    const mode = there === undefined ? 0o755 : there.mode & 0o777;
    await placeFile(path, { overwrite: true, mode }, async (file) => {
      await createSif(await FileAccess.fromDescriptor(file.fd), { objects: [], clock: systemClock });
    });
  },
});

async function statusOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
