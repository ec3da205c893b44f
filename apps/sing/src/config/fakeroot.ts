import { defineCommand } from '#libs/cli';

export const configFakeroot = defineCommand({
  name: 'fakeroot',
  summary: 'give a user ids for --fakeroot, or take them away (root only)',
  description:
    'Changes /etc/subuid and /etc/subgid under the lock that usermod takes. A user of --fakeroot needs 65536 ids in both files; a start takes an entry of exactly that many first, a larger one second.',
  positionals: [{ name: 'user', summary: 'name of the user' }],
  flagsAnywhere: true,
  flags: {
    add: {
      type: 'boolean',
      short: 'a',
      summary: 'give 65536 ids that nobody else has, or enable those that are there',
    },
    remove: { type: 'boolean', short: 'r', summary: 'take them away' },
    enable: { type: 'boolean', short: 'e', summary: 'let the user use them again' },
    disable: { type: 'boolean', short: 'd', summary: 'keep them, but refuse --fakeroot' },
  },
  examples: [
    { line: 'sing config fakeroot --add ann', summary: 'ann may use --fakeroot with many ids' },
    { line: 'sing config fakeroot --disable ann', summary: 'not any more, until --enable' },
  ],
  async run(ctx) {
    const { configureFakeroot } = await import('./change-fakeroot.js');
    return configureFakeroot(ctx, ctx.args.user, ctx.flags);
  },
});
