import { defineCommand, jsonFlag, UsageError } from '#libs/cli';
import { kindOf, parsePlace, withManagement } from './path.js';
import { retainContainer } from './retain-container.js';
import { retainEntity } from './retain-entity.js';
import { retentionFlags, rulesIn } from './retention-flags.js';

export const libraryRetain = defineCommand({
  name: 'retain',
  summary: 'show which images of a container or an entity its rules keep, or remove the others',
  description:
    'Nothing is removed without --apply. Rules given here are tried instead of those that are set with: sing library set. ' +
    'What any of them keeps is kept. In an entity those of a container count before those of the entity, and only what goes is listed.',
  positionals: [{ name: 'path', summary: 'entity/collection/container or entity' }],
  flags: {
    ...retentionFlags,
    apply: { type: 'boolean', summary: 'remove what the rules that are set do not keep' },
    force: { type: 'boolean', short: 'F', env: ['FORCE'], summary: 'do not ask' },
    ...jsonFlag,
  },
  flagsAnywhere: true,
  examples: [
    { line: 'sing library retain --keep-last 5 alice/tools/blast', summary: 'what would go' },
    { line: 'sing library retain --apply --force alice/tools/blast', summary: 'from cron' },
    { line: 'sing library retain alice', summary: 'what would go in all containers' },
  ],
  async run(ctx) {
    const path = parsePlace(ctx.args.path);
    const kind = kindOf(path);
    if (kind === 'collection')
      throw new UsageError('library retain', 'Rules are of a container or of an entity', {
        remedy: `For all collections of the entity: sing library retain ${path[0] ?? ''}`,
      });
    const rules = rulesIn(ctx.flags);
    if (ctx.flags.apply && rules !== undefined)
      throw new UsageError('library retain', `Only the rules of the ${kind} are applied`, {
        remedy: `Set them first: sing library set ${path.join('/')} --keep-last 5`,
      });
    const retain = kind === 'entity' ? retainEntity : retainContainer;
    await withManagement(ctx, { change: true }, (library) => retain(ctx, library, path, ctx.flags, rules));
  },
});
