import { defineCommand } from '#libs/cli';
import { trailFlags, withTrails } from './trails.js';

export const auditExport = defineCommand({
  name: 'export',
  summary: 'print all entries as JSON lines, for archives',
  description:
    'Service by service, each in the order of its chain. Entries carry their hashes: an archive can be checked against the trail, and the trail against it.',
  flags: {
    ...trailFlags,
    after: {
      type: 'integer',
      value: 'NUMBER',
      minimum: 0,
      default: 0,
      summary: 'only what follows this sequence number; with one --service',
    },
  },
  examples: [
    { line: 'scs audit export > audit.jsonl', summary: 'everything' },
    { line: 'scs audit export --service library --after 1200 >> library.jsonl', summary: 'what came since' },
  ],
  async run(ctx) {
    await withTrails(ctx, ctx.flags, async (trails) => {
      for (const { source } of trails)
        for await (const entry of source.entries(ctx.flags.after))
          await ctx.out.bytes(Buffer.from(`${JSON.stringify(entry)}\n`));
    });
  },
});
