import { defineCommand, jsonFlag } from '#libs/cli';
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
    ...jsonFlag,
  },
  examples: [
    { line: 'scs audit export > audit.jsonl', summary: 'everything' },
    { line: 'scs audit export --service library --after 1200 >> library.jsonl', summary: 'what came since' },
  ],
  async run(ctx) {
    // One object for programs; written as it comes, because it may be long.
    const [begin, between, end] = ctx.flags.json ? ['{"entries":[\n', ',\n', '\n]}\n'] : ['', '\n', '\n'];
    let written = 0;
    await withTrails(ctx, ctx.flags, async (trails) => {
      for (const { source } of trails)
        for await (const entry of source.entries(ctx.flags.after)) {
          await ctx.out.bytes(Buffer.from(`${written === 0 ? begin : between}${JSON.stringify(entry)}`));
          written += 1;
        }
    });
    if (written > 0) ctx.out.text(end);
    else if (ctx.flags.json) ctx.out.text(`${begin}]}\n`);
  },
});
