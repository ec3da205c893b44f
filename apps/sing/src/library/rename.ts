import { defineCommand } from '#libs/cli';
import { parseContainer, withManagement } from './path.js';

export const libraryRename = defineCommand({
  name: 'rename',
  summary: 'give a container another name; the old one leads to it for 180 days',
  positionals: [
    { name: 'path', summary: 'entity/collection/container' },
    { name: 'name', summary: 'its new name in the same collection' },
  ],
  flagsAnywhere: true,
  examples: [
    { line: 'sing library rename alice/tools/blast blast-plus', summary: 'pulls of the old name go on' },
  ],
  async run(ctx) {
    const path = parseContainer(ctx.args.path);
    const { name } = await withManagement(ctx, { change: true }, (library) =>
      library.changeContainer(path, { name: ctx.args.name }),
    );
    ctx.log.info(`${path.join('/')} is ${[...path.slice(0, 2), name].join('/')} now.`);
  },
});
