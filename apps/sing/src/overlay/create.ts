import { lstat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineCommand } from '#libs/cli';
import { DomainError, placeFile, systemCode } from '#libs/core';

/** MiB. Below that the journal takes most of it. */
const LEAST_SIZE = 64;
/** MiB. An ext3 with blocks of 4 KiB ends there. */
const LARGEST_SIZE = 16 * 1024 * 1024;

export const overlayCreate = defineCommand({
  name: 'create',
  summary: 'make an ext3 image for --overlay, or add one to a SIF file',
  description:
    'What a container writes goes to the image: sing exec --overlay IMAGE. In a SIF file it becomes an overlay partition, which is always shown and is written with --writable.\n\nThe layer belongs to who makes it; with --fakeroot it belongs to root, for containers that are started with --fakeroot.',
  positionals: [{ name: 'image', summary: 'image to make, or a SIF file that is there' }],
  flags: {
    size: { type: 'integer', short: 's', value: 'MIB', default: LEAST_SIZE, summary: 'size in MiB' },
    sparse: {
      type: 'boolean',
      short: 'S',
      summary: 'take space on disk only for what is written; not in a SIF file',
    },
    'create-dir': {
      type: 'list',
      value: 'DIR',
      summary: 'make this directory in the layer, so that it can be written; may be repeated',
    },
    fakeroot: { type: 'boolean', short: 'f', summary: 'for containers started with --fakeroot' },
  },
  flagsAnywhere: true,
  examples: [
    { line: 'sing overlay create --size 1024 work.img', summary: 'make an image of 1 GiB' },
    {
      line: 'sing overlay create --sparse --size 10240 --create-dir /data work.img',
      summary: 'one of 10 GiB that grows, with a directory to write in',
    },
    { line: 'sing overlay create hello.sif', summary: 'make a SIF file writable with --writable' },
  ],
  async run(ctx) {
    const { args, cwd, flags, log, signal } = ctx;
    if (flags.size < LEAST_SIZE || flags.size > LARGEST_SIZE)
      throw refused(
        `Expected a size from ${LEAST_SIZE} to ${LARGEST_SIZE} MiB, got ${flags.size}`,
        'Give it with --size',
      );
    const path = resolve(cwd, args.image);
    const wish = {
      mebibytes: flags.size,
      sparse: flags.sparse,
      directories: flags['create-dir'],
      forRoot: flags.fakeroot,
      signal,
    };
    if (await isThere(path)) {
      if (flags.sparse) throw refused('An overlay in a SIF file cannot be sparse', 'Leave --sparse out');
      const { addLayer } = await import('./sif.js');
      await addLayer(ctx, args.image, wish);
    } else {
      const { makeLayer } = await import('./layer.js');
      await placeFile(path, { overwrite: false }, (file) => makeLayer(file.fd, wish));
    }
    log.info(`Overlay created: ${args.image}`);
  },
});

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function refused(message: string, remedy: string): DomainError {
  return new DomainError('bad_request', message, { reason: 'overlay_refused', exitCode: 255, remedy });
}
