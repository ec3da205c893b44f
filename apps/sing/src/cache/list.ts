import { defineCommand, formatSize, jsonFlag } from '#libs/cli';
import { listCache, listLeftovers } from './store.js';
import { chosenTypes, typeFlag } from './types.js';

export const cacheList = defineCommand({
  name: 'list',
  summary: 'list images that were fetched and kept',
  flags: {
    ...typeFlag,
    verbose: { type: 'boolean', short: 'v', summary: 'every entry, not only totals' },
    ...jsonFlag,
  },
  async run(ctx) {
    const entries = await listCache(ctx, chosenTypes(ctx.flags.type));
    if (ctx.flags.json) {
      ctx.out.json({
        entries: entries.map(({ type, name, created, size }) => ({
          name,
          created: created.toISOString(),
          size,
          type,
        })),
      });
      return;
    }
    if (ctx.flags.verbose) {
      ctx.out.table(
        ['NAME', 'DATE CREATED', 'SIZE', 'TYPE'],
        entries.map(({ type, name, created, size }) => [
          name,
          created.toISOString().slice(0, 19).replace('T', ' '),
          formatSize(size),
          type,
        ]),
      );
      ctx.out.line();
    }
    const total = entries.reduce((sum, { size }) => sum + size, 0);
    const containers = entries.filter(({ type }) => type !== 'blob');
    ctx.out.line(
      `There are ${containers.length} container file(s) using ${formatSize(
        containers.reduce((sum, { size }) => sum + size, 0),
      )} and ${entries.length - containers.length} oci blob entries using ${formatSize(
        entries.filter(({ type }) => type === 'blob').reduce((sum, { size }) => sum + size, 0),
      )} of space`,
    );
    ctx.out.line(`Total space used: ${formatSize(total)}`);
    const downloads = (await listLeftovers(ctx)).filter(({ kind }) => kind === 'download');
    if (downloads.length > 0) {
      const held = formatSize(downloads.reduce((sum, { size }) => sum + size, 0));
      ctx.out.line(
        `Interrupted downloads: ${downloads.length} using ${held}; the same pull goes on with them, sing cache clean removes them`,
      );
    }
  },
});
