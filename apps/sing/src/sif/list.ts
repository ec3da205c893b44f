import { defineCommand, jsonFlag } from '#libs/cli';
import { objectJson } from './object-json.js';
import { SIF_FAILURE, withImage } from './open.js';

export const sifList = defineCommand({
  name: 'list',
  summary: 'list the objects of an image',
  positionals: [{ name: 'image', summary: 'SIF file' }],
  flags: jsonFlag,
  flagsAnywhere: true,
  failureStatus: SIF_FAILURE,
  examples: [{ line: 'sing sif list hello.sif', summary: 'see what is inside' }],
  run: (ctx) =>
    withImage(ctx, ctx.args.image, async (image, sif) => {
      if (!ctx.flags.json) return ctx.out.text(sif.listText(image));
      return ctx.out.json({ objects: image.descriptors.map((descriptor) => objectJson(sif, descriptor)) });
    }),
});
