import { resolve } from 'node:path';
import { defineCommand } from '#libs/cli';
import { appNamed } from './app.js';

/** What the stock program prints for an image that explains nothing; it ends with 0 then, too (runtime contract §1.6). */
const NO_HELP = 'No help sections were defined for this image';

export const runHelp = defineCommand({
  name: 'run-help',
  summary: 'show how an image wants to be used',
  description: 'Prints the help section of its definition. No program of the image runs.',
  positionals: [{ name: 'image', summary: 'SIF, squashfs or ext3 file, or folder' }],
  flags: {
    app: {
      type: 'string',
      value: 'NAME',
      env: ['APP', 'APPNAME'],
      summary: 'of an app of the image',
    },
  },
  examples: [{ line: 'sing run-help hello.sif', summary: 'before running it' }],
  async run(ctx) {
    const { readAttributes } = await import('./metadata-source.js');
    const { encrypted, ...image } = await readAttributes(ctx, resolve(ctx.cwd, ctx.args.image));
    const { helpfile } = ctx.flags.app === undefined ? image : appNamed(image, ctx.flags.app);
    const text = helpfile === undefined || helpfile === '' ? NO_HELP : helpfile;
    ctx.out.foreign(text);
    if (encrypted !== undefined)
      ctx.log.info(`The root file system is encrypted (${encrypted}): only what stands beside it is shown`);
  },
});
