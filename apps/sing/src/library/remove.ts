import { defineCommand } from '#libs/cli';
import { kindOf, parsePlace, pathPositional, withManagement } from './path.js';

export const libraryRemove = defineCommand({
  name: 'remove',
  aliases: ['rm'],
  summary: 'remove a container with all its images, or a collection or an entity that is empty',
  description: 'What the images took is free at once. A single image goes with: sing delete',
  positionals: [pathPositional],
  flags: { force: { type: 'boolean', short: 'F', env: ['FORCE'], summary: 'do not ask' } },
  flagsAnywhere: true,
  examples: [{ line: 'sing library remove --force alice/tools/old', summary: 'without a question' }],
  async run(ctx) {
    const path = parsePlace(ctx.args.path);
    const what = `${kindOf(path)} ${path.join('/')}`;
    await withManagement(ctx, { change: true }, async (library) => {
      const with_ = kindOf(path) === 'container' ? ' with all its images' : '';
      const message = `Remove the ${what}${with_}?`;
      if (!ctx.flags.force && !(await ctx.prompts.confirm({ message, flag: '--force' }))) {
        ctx.log.info('Nothing was removed.');
        return;
      }
      await library.remove(path);
      ctx.log.info(`The ${what} was removed.`);
    });
  },
});
