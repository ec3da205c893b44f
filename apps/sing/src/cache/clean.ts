import { join } from 'node:path';
import { defineCommand, formatSize } from '#libs/cli';
import { cacheFolder } from '../folders.js';
import { listCache, listLeftovers, removeFromCache, removeLeftover } from './store.js';
import { chosenTypes, typeFlag } from './types.js';
import { sweepUnpacked } from './unpacked.js';

const DAY = 24 * 60 * 60 * 1000;

export const cacheClean = defineCommand({
  name: 'clean',
  summary: 'remove images that were fetched and kept',
  flags: {
    ...typeFlag,
    days: { type: 'integer', short: 'D', value: 'N', summary: 'only what is older than N days' },
    'dry-run': { type: 'boolean', short: 'n', summary: 'only say what would be removed' },
    force: { type: 'boolean', short: 'f', summary: 'do not ask' },
  },
  examples: [
    { line: 'sing cache clean --dry-run', summary: 'see what would go' },
    { line: 'sing cache clean --force --days 30', summary: 'remove what is older than a month' },
  ],
  async run(ctx) {
    const { flags, log, prompts, signal } = ctx;
    const types = chosenTypes(flags.type);
    const before = flags.days === undefined ? Number.POSITIVE_INFINITY : Date.now() - flags.days * DAY;
    if (types.includes('rootfs') && !flags['dry-run']) await sweepUnpacked(join(cacheFolder(ctx), 'rootfs'));
    const entries = (await listCache(ctx, types)).filter(({ created }) => created.getTime() <= before);
    const leftovers = (types.includes('library') ? await listLeftovers(ctx) : []).filter(
      ({ touched }) => touched.getTime() <= before,
    );
    if (entries.length + leftovers.length === 0) {
      log.info('Nothing to remove.');
      return;
    }
    const all = [...entries, ...leftovers].reduce((sum, each) => sum + each.size, 0);
    const size = formatSize(all);
    let kept = 0;
    if (!flags['dry-run'] && !flags.force) {
      const more =
        leftovers.length === 0 ? '' : ` and what ${leftovers.length} interrupted transfers have left`;
      const message = `Remove ${entries.length} entries${more} (${size}) from the cache?`;
      if (!(await prompts.confirm({ message, flag: '--force', fromPipe: true }))) {
        log.info('Nothing was removed.');
        return;
      }
    }
    const removed = flags['dry-run'] ? 'Would remove' : 'Removed';
    for (const entry of entries) {
      signal.throwIfAborted();
      if (!flags['dry-run'] && (await removeFromCache(ctx, entry)) === 'in use') {
        kept += entry.size;
        log.info(`Left ${entry.type} ${entry.name} alone: a container uses it`);
        continue;
      }
      log.info(`${removed} ${entry.type} ${entry.name}`);
    }
    for (const leftover of leftovers) {
      signal.throwIfAborted();
      if (!flags['dry-run']) await removeLeftover(leftover);
      log.info(`${removed} what an interrupted ${leftover.kind} has left (${formatSize(leftover.size)})`);
    }
    log.info(`${flags['dry-run'] ? 'Would free' : 'Freed'} ${formatSize(all - kept)}.`);
  },
});
