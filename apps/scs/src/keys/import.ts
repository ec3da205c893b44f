import { defineCommand, jsonFlag } from '#libs/cli';

export const keysImport = defineCommand({
  name: 'import',
  summary: 'bring many keys: files, folders or standard input, armored or binary',
  description:
    'Every signature is checked by the keystore, in as many threads as it has; what no key vouches for is left out, and secret keys are not sent. ' +
    'Keys that are there already are merged; doing it again changes nothing. Nobody becomes a contributor by it. With --cursor an import that was ' +
    'interrupted goes on where it was. Exits with 1 when keys were refused.',
  positionals: [{ name: 'sources', summary: 'files and folders; - is standard input', rest: true }],
  flags: {
    cursor: {
      type: 'string',
      value: 'FILE',
      summary: 'remember in this file how far it came, and go on from there',
    },
    ...jsonFlag,
  },
  examples: [
    { line: 'scs keys import --cursor import.json dump/', summary: 'a dump of a key server' },
    { line: 'scs keys import - < keys.gpg', summary: 'what gpg --export wrote' },
  ],
  async run(ctx) {
    const { importKeys } = await import('./importing.js');
    return importKeys(ctx, ctx.args.sources, ctx.flags);
  },
});
