import { defineCommand, jsonFlag } from '#libs/cli';
import { trailFlags, withTrails } from './trails.js';

export const auditHeads = defineCommand({
  name: 'heads',
  summary: 'print the newest signed head of every trail, to keep it elsewhere',
  description:
    'One JSON line for each service. Whoever keeps these lines where nobody of this instance can change them can prove later, with scs audit verify --heads, that no entry up to ' +
    'then was changed or removed.',
  flags: {
    ...trailFlags,
    all: { type: 'boolean', summary: 'every head that was ever signed' },
    ...jsonFlag,
  },
  examples: [{ line: 'scs audit heads | ssh safe "cat >> heads.jsonl"', summary: 'once a day, by cron' }],
  async run(ctx) {
    const heads: object[] = [];
    await withTrails(ctx, ctx.flags, async (trails) => {
      for (const { source, newestHeads } of trails)
        for await (const head of ctx.flags.all ? source.heads() : await newestHeads()) {
          const { service, sequence, hash, time, signed } = head;
          const line = { service, sequence, hash, time, signed };
          if (ctx.flags.json) heads.push(line);
          else ctx.out.line(JSON.stringify(line));
        }
    });
    if (ctx.flags.json) ctx.out.json({ heads });
  },
});
