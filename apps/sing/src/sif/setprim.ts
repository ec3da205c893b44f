import { defineCommand } from '#libs/cli';
import { changeImage } from './change.js';
import { objectNumber, SIF_FAILURE } from './open.js';

export const sifSetprim = defineCommand({
  name: 'setprim',
  summary: 'make a system partition the root file system of an image',
  positionals: [
    { name: 'id', summary: 'number of the partition' },
    { name: 'image', summary: 'SIF file' },
  ],
  flagsAnywhere: true,
  failureStatus: SIF_FAILURE,
  run: (ctx) =>
    changeImage(ctx, ctx.args.image, async (access, sif, context) => {
      const id = objectNumber(ctx.args.id);
      const before = await sif.readSif(access);
      const image = await sif.setPrimary(access, id, context);
      // The one that was the root file system before is another one now, too.
      const extras = new Map(image.descriptors.map(({ slot, extra }) => [slot, extra]));
      const changed = before.descriptors.filter(
        ({ slot, extra }) => extras.get(slot)?.equals(extra) !== true,
      );
      return { image, groups: changed.map(sif.groupOf) };
    }),
});
