import { defineCommand } from '#libs/cli';
import { archFlag } from '../image/library.js';
import { goArchitecture } from '../session.js';
import { parseTagged, withManagement } from './path.js';

export const libraryUntag = defineCommand({
  name: 'untag',
  summary: 'take a tag from an image, which stays',
  description: 'The image is found by its other tags and by its hash from then on.',
  positionals: [{ name: 'tag', summary: 'entity/collection/container:tag' }],
  flags: archFlag,
  flagsAnywhere: true,
  examples: [
    { line: 'sing library untag alice/tools/blast:old', summary: 'for the architecture of this machine' },
  ],
  async run(ctx) {
    const { path, tag } = parseTagged(ctx.args.tag);
    const arch = ctx.flags.arch ?? goArchitecture();
    await withManagement(ctx, { change: true }, (library) => library.removeTag(path, tag, arch));
    ctx.log.info(`${path.join('/')} has no tag ${tag} for ${arch} any more.`);
  },
});
