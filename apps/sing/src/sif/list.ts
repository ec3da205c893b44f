import { defineCommand, jsonFlag } from '#libs/cli';
import { SIF_FAILURE, withImage } from './open.js';

export const sifList = defineCommand({
  name: 'list',
  summary: 'list the objects of an image',
  positionals: [{ name: 'image', summary: 'SIF file' }],
  flags: jsonFlag,
  failureStatus: SIF_FAILURE,
  examples: [{ line: 'sing sif list hello.sif', summary: 'see what is inside' }],
  run: (ctx) =>
    withImage(ctx, ctx.args.image, async (image, sif) => {
      if (!ctx.flags.json) return ctx.out.text(sif.listText(image));
      return ctx.out.json({
        objects: image.descriptors.map((descriptor) => {
          const link = sif.linkOf(descriptor);
          const group = sif.groupOf(descriptor);
          return {
            id: descriptor.id,
            type: sif.dataTypeName(descriptor.type),
            group: group === 0 ? null : group,
            link: link === undefined ? null : { [link.kind]: link.id },
            offset: Number(descriptor.offset),
            size: Number(descriptor.size),
            name: sif.nameOf(descriptor),
          };
        }),
      });
    }),
});
