import { defineCommand, jsonFlag } from '#libs/cli';

export const configGlobal = defineCommand({
  name: 'global',
  summary: 'show or change a rule of singularity.conf',
  description:
    'For root, or for the owner of an installation that belongs to a user; everybody may look with --get and --dry-run. Comments and everything else in the file stay as they are; ' +
    'a file that is not there yet is written with every rule and what it means. ' +
    'Of rules with several values --set puts new ones in front of the others, and --unset takes single ones away.',
  positionals: [
    { name: 'directive', summary: 'name of the rule, for example "bind path"' },
    { name: 'values', summary: 'values for --set and --unset', rest: true, optional: true },
  ],
  flagsAnywhere: true,
  flags: {
    set: { type: 'boolean', short: 's', summary: 'set it, or add values to it' },
    unset: { type: 'boolean', short: 'u', summary: 'take values away from it' },
    get: { type: 'boolean', short: 'g', summary: 'print its value, several separated by commas' },
    reset: { type: 'boolean', short: 'r', summary: 'back to what it is without a file' },
    'dry-run': { type: 'boolean', short: 'd', summary: 'print the file as it would be, and change nothing' },
    ...jsonFlag,
  },
  examples: [
    { line: 'sing config global --set "bind path" /scratch', summary: 'show /scratch in every container' },
    { line: 'sing config global --get "mount dev"', summary: 'what /dev is in containers' },
    {
      line: 'sing config global --dry-run --reset "mount home"',
      summary: 'see the file before it is written',
    },
  ],
  async run(ctx) {
    const { configureGlobally } = await import('./change-global.js');
    return configureGlobally(ctx, ctx.args.directive, ctx.args.values ?? [], ctx.flags);
  },
});
