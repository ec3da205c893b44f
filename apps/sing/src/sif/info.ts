import { defineCommand } from '#libs/cli';
import { objectNumber, SIF_FAILURE, withImage } from './open.js';

export const sifInfo = defineCommand({
  name: 'info',
  summary: 'show one object of an image',
  positionals: [
    { name: 'id', summary: 'number of the object' },
    { name: 'image', summary: 'SIF file' },
  ],
  failureStatus: SIF_FAILURE,
  run: (ctx) =>
    withImage(ctx, ctx.args.image, async (image, sif) => {
      ctx.out.text(sif.infoText(sif.objectById(image, objectNumber(ctx.args.id))));
    }),
});
