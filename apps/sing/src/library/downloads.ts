import { defineCommand, jsonFlag } from '#libs/cli';
import { parseContainer, withViews } from './path.js';

export const libraryDownloads = defineCommand({
  name: 'downloads',
  summary: 'show how often a container was downloaded, day by day',
  description:
    'Days are of UTC, the last thirty unless --from and --to say otherwise; they are kept for 400 days. A day without a download is not listed.',
  positionals: [{ name: 'path', summary: 'entity/collection/container' }],
  flags: {
    from: { type: 'string', value: 'DAY', summary: 'first day, for example 2026-05-01' },
    to: { type: 'string', value: 'DAY', summary: 'last day' },
    ...jsonFlag,
  },
  flagsAnywhere: true,
  examples: [
    {
      line: 'sing library downloads alice/tools/blast --from 2026-05-01 --to 2026-05-31',
      summary: 'those of a month',
    },
  ],
  async run(ctx) {
    const path = parseContainer(ctx.args.path);
    const asked = { from: ctx.flags.from, to: ctx.flags.to };
    const { days, from, to, total } = await withViews(ctx, { token: false }, (library) =>
      library.downloads(path, asked),
    );
    if (ctx.flags.json) {
      ctx.out.json({ downloads: days, from, to, total });
      return;
    }
    if (days.length > 0)
      ctx.out.table(
        ['DAY', 'DOWNLOADS'],
        days.map(({ day, downloads }) => [day, String(downloads)]),
      );
    ctx.log.info(`${total} downloads from ${from} to ${to}.`);
  },
});
