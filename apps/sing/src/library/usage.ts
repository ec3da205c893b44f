import { defineCommand, formatSize, jsonFlag } from '#libs/cli';
import { fields } from './fields.js';
import { parseEntity, withViews } from './path.js';
import { parseSize } from './size-flag.js';

/** In the place of a size: no quota of its own. */
const OF_ALL = 'default';

export const libraryUsage = defineCommand({
  name: 'usage',
  summary: 'show what an account holds in the library, and may hold',
  description:
    'Everything that the account has pushed, over all entities, until its last image there is deleted. That of others is for administrators, and so is --quota.',
  positionals: [{ name: 'account', summary: 'user name; your own when absent', optional: true }],
  flags: {
    quota: {
      type: 'string',
      value: 'BYTES',
      summary: `give the account a quota, for example 10G; 0 for no limit, ${OF_ALL} for that of all accounts`,
    },
    ...jsonFlag,
  },
  flagsAnywhere: true,
  examples: [
    { line: 'sing library usage', summary: 'your own' },
    { line: 'sing library usage alice --quota 50G', summary: 'for administrators' },
  ],
  async run(ctx) {
    const { quota, json } = ctx.flags;
    const account = ctx.args.account === undefined ? undefined : parseEntity(ctx.args.account);
    const size = quota === undefined || quota === OF_ALL ? null : parseSize(quota, '--quota');
    const usage = await withViews(ctx, { token: true }, async (library) => {
      if (quota === undefined) return library.usage(account);
      return library.setQuota(account ?? (await library.usage()).account, size);
    });
    if (json) {
      ctx.out.json({ accounts: [usage] });
      return;
    }
    const limit = usage.quota === 0 ? 'no limit' : formatSize(usage.quota);
    fields(ctx.out, [
      ['Account', usage.account],
      ['Quota', usage.ownQuota === null ? `${limit} (that of all accounts)` : limit],
      ['Used', formatSize(usage.used)],
      ['Uploads under way', formatSize(usage.reserved)],
    ]);
  },
});
