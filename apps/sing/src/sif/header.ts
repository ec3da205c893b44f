import { defineCommand, jsonFlag } from '#libs/cli';
import { SIF_FAILURE, withImage } from './open.js';

export const sifHeader = defineCommand({
  name: 'header',
  summary: 'show the global header of an image',
  positionals: [{ name: 'image', summary: 'SIF file' }],
  flags: jsonFlag,
  failureStatus: SIF_FAILURE,
  run: (ctx) =>
    withImage(ctx, ctx.args.image, async (image, sif) => {
      if (!ctx.flags.json) return ctx.out.text(sif.headerText(image));
      const { header } = image;
      const time = (seconds: bigint) =>
        seconds === sif.ZERO_TIME ? null : new Date(Number(seconds) * 1000).toISOString();
      return ctx.out.json({
        header: {
          version: '01',
          architecture: sif.headerArchitecture(header),
          id: sif.imageId(header),
          created: time(header.createdAt),
          modified: time(header.modifiedAt),
          descriptorsFree: Number(header.descriptorsFree),
          descriptorsTotal: Number(header.descriptorsTotal),
          dataOffset: Number(header.dataOffset),
          dataSize: Number(header.dataSize),
        },
      });
    }),
});
