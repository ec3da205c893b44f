import { resolve } from 'node:path';
import { defineCommand } from '#libs/cli';
import { changeImage } from './change.js';
import { objectExtra, objectLink, objectType } from './object-flags.js';
import { SIF_FAILURE } from './open.js';

export const sifAdd = defineCommand({
  name: 'add',
  summary: 'add a file to an image as an object',
  description:
    'Nothing that is in the image is moved or rewritten.\n\nTypes: 1 definition, 2 environment, 3 labels, 4 partition, 5 signature, 6 JSON, 7 anything, 8 cryptographic message, 9 bill of materials, 10 OCI index, 11 OCI blob.',
  positionals: [
    { name: 'image', summary: 'SIF file' },
    { name: 'file', summary: 'file with the data' },
  ],
  flags: {
    datatype: {
      type: 'integer',
      value: 'N',
      minimum: 1,
      maximum: 11,
      summary: 'type of the object (needed)',
    },
    parttype: {
      type: 'integer',
      value: 'N',
      minimum: 1,
      maximum: 4,
      summary: 'of a partition: 1 system, 2 primary, 3 data, 4 overlay',
    },
    partfs: {
      type: 'integer',
      value: 'N',
      minimum: 1,
      maximum: 6,
      summary: 'of a partition: 1 squashfs, 2 ext3, 3 archive, 4 raw, 5 encrypted squashfs, 6 gocryptfs',
    },
    partarch: {
      type: 'string',
      value: 'ARCH',
      summary: 'of a partition: its architecture, amd64 or 2, arm64 or 4 …',
    },
    signhash: {
      type: 'integer',
      value: 'N',
      minimum: 1,
      maximum: 5,
      summary: 'of a signature: 1 SHA-256, 2 SHA-384, 3 SHA-512, 4 BLAKE2s-256, 5 BLAKE2b-256',
    },
    signentity: { type: 'string', value: 'FINGERPRINT', summary: 'of a signature: 40 hexadecimal digits' },
    sbomformat: {
      type: 'string',
      value: 'FORMAT',
      summary: 'of a bill of materials: cyclonedx-json, spdx-json, syft-json …',
    },
    groupid: { type: 'integer', value: 'N', summary: 'group of the object; none without it' },
    link: {
      type: 'integer',
      value: 'N',
      maximum: 0xffffffff,
      summary: 'object that it belongs to; 4026531840 + N is group N',
    },
    alignment: {
      type: 'integer',
      value: 'BYTES',
      minimum: -(2 ** 31),
      maximum: 2 ** 31 - 1,
      summary: '4096 for partitions, none for others',
    },
    filename: { type: 'string', value: 'NAME', summary: 'name of the object; empty without it' },
  },
  flagsAnywhere: true,
  failureStatus: SIF_FAILURE,
  examples: [
    { line: 'sing sif add --datatype 7 hello.sif notes.txt', summary: 'add a file' },
    {
      line: 'sing sif add --datatype 4 --partfs 1 --parttype 4 --partarch amd64 --groupid 1 hello.sif more.squashfs',
      summary: 'lay a file system over the root file system',
    },
    {
      line: 'sing sif add --datatype 9 --sbomformat spdx-json hello.sif hello.spdx.json',
      summary: 'say what is in it',
    },
  ],
  run: (ctx) => {
    const { flags, args } = ctx;
    return changeImage(ctx, args.image, async (access, sif, context) => {
      const type = objectType(flags.datatype);
      const extra = objectExtra(sif, type, flags);
      const link = objectLink(flags.link ?? 0);
      const data = await sif.FileAccess.open(resolve(ctx.cwd, args.file), 'read');
      try {
        const { image, descriptor } = await sif.addObject(
          access,
          {
            type,
            data,
            group: flags.groupid ?? 0,
            ...(link === undefined ? {} : { link }),
            ...(flags.alignment === undefined ? {} : { alignment: flags.alignment }),
            ...(flags.filename === undefined ? {} : { name: flags.filename }),
            ...(extra === undefined ? {} : { extra }),
          },
          context,
        );
        return { image, groups: [sif.groupOf(descriptor)] };
      } finally {
        await data.close();
      }
    });
  },
});
