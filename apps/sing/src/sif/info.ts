import { defineCommand, jsonFlag } from '#libs/cli';
import { objectJson } from './object-json.js';
import { objectNumber, SIF_FAILURE, withImage } from './open.js';

export const sifInfo = defineCommand({
  name: 'info',
  summary: 'show one object of an image',
  positionals: [
    { name: 'id', summary: 'number of the object' },
    { name: 'image', summary: 'SIF file' },
  ],
  flags: jsonFlag,
  flagsAnywhere: true,
  failureStatus: SIF_FAILURE,
  run: (ctx) =>
    withImage(ctx, ctx.args.image, async (image, sif) => {
      const descriptor = sif.objectById(image, objectNumber(ctx.args.id));
      if (ctx.flags.json) ctx.out.json({ object: objectJson(sif, descriptor) });
      else ctx.out.text(sif.infoText(descriptor));
    }),
});
