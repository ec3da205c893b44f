import { defineCommand, jsonFlag } from '#libs/cli';
import { firstLine } from './first-line.js';
import { withViews } from './path.js';

export const libraryStars = defineCommand({
  name: 'stars',
  summary: 'list the containers with a star of yours, the latest first',
  flags: jsonFlag,
  examples: [{ line: 'sing library stars --json', summary: 'for a program' }],
  async run(ctx) {
    const stars = await withViews(ctx, { token: true }, (library) => library.stars());
    if (ctx.flags.json) ctx.out.json({ stars });
    else if (stars.length === 0) ctx.log.info('You have given no star yet: sing library star PATH');
    else
      ctx.out.table(
        ['CONTAINER', 'STARS', 'PULLS', 'SINCE', 'DESCRIPTION'],
        stars.map((each) => [
          [each.entity, each.collection, each.name].join('/'),
          String(each.stars),
          String(each.downloadCount),
          each.starredAt.slice(0, 10),
          firstLine(each.description),
        ]),
      );
  },
});
