import { defineCommand, jsonFlag } from '#libs/cli';
import { timeText } from './object-json.js';
import { SIF_FAILURE, withImage } from './open.js';

export const sifHeader = defineCommand({
  name: 'header',
  summary: 'show the global header of an image',
  positionals: [{ name: 'image', summary: 'SIF file' }],
  flags: jsonFlag,
  flagsAnywhere: true,
  failureStatus: SIF_FAILURE,
  run: (ctx) =>
    withImage(ctx, ctx.args.image, async (image, sif) => {
      if (!ctx.flags.json) return ctx.out.text(sif.headerText(image));
      const { header } = image;
      return ctx.out.json({
        header: {
          version: '01',
          architecture: sif.headerArchitecture(header),
          id: sif.imageId(header),
          created: timeText(sif, header.createdAt),
          modified: timeText(sif, header.modifiedAt),
          descriptorsFree: Number(header.descriptorsFree),
          descriptorsTotal: Number(header.descriptorsTotal),
          dataOffset: Number(header.dataOffset),
          dataSize: Number(header.dataSize),
        },
      });
    }),
});
