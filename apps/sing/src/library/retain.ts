import { defineCommand, formatSize, jsonFlag, UsageError } from '#libs/cli';
import type { RetainedImage } from '#libs/contract';
import { parseContainer, withManagement } from './path.js';
import { retentionFlags, rulesIn } from './retention-flags.js';

export const libraryRetain = defineCommand({
  name: 'retain',
  summary: 'show which images of a container its rules keep, or remove the others',
  description:
    'Nothing is removed without --apply. Rules given here are tried instead of those of the container; they are set with: sing library set. ' +
    'What any of them keeps is kept.',
  positionals: [{ name: 'path', summary: 'entity/collection/container' }],
  flags: {
    ...retentionFlags,
    apply: { type: 'boolean', summary: 'remove what the rules of the container do not keep' },
    force: { type: 'boolean', short: 'F', env: ['FORCE'], summary: 'do not ask' },
    ...jsonFlag,
  },
  flagsAnywhere: true,
  examples: [
    { line: 'sing library retain --keep-last 5 alice/tools/blast', summary: 'what would go' },
    { line: 'sing library retain --apply --force alice/tools/blast', summary: 'from cron' },
  ],
  async run(ctx) {
    const { apply, force, json } = ctx.flags;
    const path = parseContainer(ctx.args.path);
    const rules = rulesIn(ctx.flags);
    if (apply && rules !== undefined)
      throw new UsageError('library retain', 'Only the rules of the container are applied', {
        remedy: `Set them first: sing library set ${path.join('/')} --keep-last 5`,
      });
    await withManagement(ctx, { change: true }, async (library) => {
      const tried = await library.retain(path, { dryRun: true, ...(rules === undefined ? {} : { rules }) });
      if (apply && !force && tried.removed > 0) {
        const message = `Remove ${tried.removed} images (${formatSize(tried.bytes)}) of ${path.join('/')}?`;
        if (!(await ctx.prompts.confirm({ message, flag: '--force' }))) {
          ctx.log.info('Nothing was removed.');
          return;
        }
      }
      const { images, removed, bytes, dryRun } = apply
        ? await library.retain(path, { dryRun: false })
        : tried;
      if (json) {
        ctx.out.json({ images, removed, bytes, dryRun });
        return;
      }
      if (images.length > 0)
        ctx.out.table(['TAGS', 'ARCH', 'SIZE', 'PUSHED', 'KEPT?', 'HASH'], images.map(row));
      const done = apply ? 'removed' : 'would be removed';
      ctx.log.info(`${removed} images ${done}, which have ${formatSize(bytes)}.`);
    });
  },
});

const REASONS: Readonly<Record<NonNullable<RetainedImage['kept']>, string>> = {
  last: 'one of the last',
  days: 'pushed or pulled lately',
  tag: 'by its tag',
  protected: 'protected tag',
};

function row({ tags, arch, size, createdAt, kept, hash }: RetainedImage): string[] {
  return [
    tags.join(',') || '-',
    arch ?? '-',
    formatSize(size),
    createdAt.slice(0, 10),
    kept === null ? 'no' : REASONS[kept],
    hash,
  ];
}
