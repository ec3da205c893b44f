import { type Command, defineCommand } from '#libs/cli';
import { parseContainer, withViews } from './path.js';

/** Two commands that are the same but for their direction. */
function starCommand(name: 'star' | 'unstar', summary: string): Command {
  return defineCommand({
    name,
    summary,
    positionals: [{ name: 'path', summary: 'entity/collection/container' }],
    flagsAnywhere: true,
    examples: [
      { line: `sing library ${name} alice/tools/blast`, summary: 'yours are in: sing library stars' },
    ],
    async run(ctx) {
      const path = parseContainer(ctx.args.path);
      const { stars } = await withViews(ctx, { token: true }, (library) =>
        library.star(path, name === 'star'),
      );
      ctx.log.info(`${path.join('/')} has ${stars} ${stars === 1 ? 'star' : 'stars'} now.`);
    },
  });
}

export const libraryStar = starCommand('star', 'give a container your star');
export const libraryUnstar = starCommand('unstar', 'take your star back');
