import { defineCommand, jsonFlag } from '#libs/cli';

export const keysExport = defineCommand({
  name: 'export',
  summary: 'write all keys to a file, to a folder or to standard output',
  description:
    'As they are served: without what is hidden, and without keys that are not served. Into a folder each key goes in a file of its own. ' +
    'For other key servers and for scs keys import; a backup is that of the databases, which also has the owners.',
  positionals: [
    { name: 'target', summary: 'file, or a folder that is there; - is standard output', optional: true },
  ],
  flags: {
    armor: { type: 'boolean', short: 'a', summary: 'as text' },
    force: { type: 'boolean', short: 'F', summary: 'replace existing files' },
    ...jsonFlag,
  },
  examples: [
    { line: 'scs keys export keys.gpg', summary: 'one file that gpg --import takes' },
    { line: 'scs keys export --armor | ssh other sing key import /dev/stdin', summary: 'as text' },
  ],
  async run(ctx) {
    const { exportKeys } = await import('./exporting.js');
    return exportKeys(ctx, ctx.args.target ?? '-', ctx.flags);
  },
});
