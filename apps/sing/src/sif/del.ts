import { defineCommand } from '#libs/cli';
import { changeImage } from './change.js';
import { objectNumber, SIF_FAILURE } from './open.js';

export const sifDel = defineCommand({
  name: 'del',
  summary: 'delete an object of an image',
  description: 'The bytes of the object stay in the file unless told otherwise, as with other programs.',
  positionals: [
    { name: 'id', summary: 'number of the object' },
    { name: 'image', summary: 'SIF file' },
  ],
  flags: {
    zero: { type: 'boolean', summary: 'overwrite its bytes with zeros' },
    compact: { type: 'boolean', summary: 'shorten the file when it was the last object' },
  },
  flagsAnywhere: true,
  failureStatus: SIF_FAILURE,
  examples: [
    { line: 'sing sif del 4 hello.sif', summary: 'delete object 4' },
    { line: 'sing sif del --zero --compact 4 hello.sif', summary: 'and leave nothing of it' },
  ],
  run: (ctx) =>
    changeImage(ctx, ctx.args.image, async (access, sif, context) => {
      const id = objectNumber(ctx.args.id);
      const groups = [sif.groupOf(sif.objectById(await sif.readSif(access), id))];
      const { zero, compact } = ctx.flags;
      return { image: await sif.deleteObject(access, id, { ...context, zero, compact }), groups };
    }),
});
