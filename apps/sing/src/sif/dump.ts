import { defineCommand } from '#libs/cli';
import { objectNumber, SIF_FAILURE, withImage } from './open.js';

export const sifDump = defineCommand({
  name: 'dump',
  summary: 'write the bytes of an object to standard output',
  positionals: [
    { name: 'id', summary: 'number of the object' },
    { name: 'image', summary: 'SIF file' },
  ],
  flagsAnywhere: true,
  failureStatus: SIF_FAILURE,
  examples: [{ line: 'sing sif dump 1 hello.sif', summary: 'print the definition of an image' }],
  run: (ctx) =>
    withImage(ctx, ctx.args.image, async (image, sif) => {
      const data = sif.openObject(image, sif.objectById(image, objectNumber(ctx.args.id)));
      for await (const chunk of sif.chunksOf(data, ctx.signal)) {
        // The piece is reused for the next read; a pipe keeps what it was given until the other end takes it.
        await ctx.out.bytes(Buffer.from(chunk));
      }
    }),
});
