import type { RetainedImage, Retention } from '#libs/contract';
import { protectionOf } from '../images/protection.js';

/** What the rules look at. */
export type Retainable = Pick<RetainedImage, 'arch' | 'tags' | 'createdAt' | 'pulledAt'>;

const DAY = 24 * 60 * 60 * 1000;

/**
 * Why each image is kept, or null: the first rule that keeps it.
 * @param images of one container, newest first
 * @param options.protectedTags patterns of tags that nobody removes
 * @param options.now milliseconds since 1970
 */
export function retained(
  images: readonly Retainable[],
  rules: Retention,
  options: { readonly protectedTags: readonly string[]; readonly now: number },
): RetainedImage['kept'][] {
  const counts = new Map<string | null, number>();
  return images.map(({ arch, tags, createdAt, pulledAt }) => {
    const newer = counts.get(arch) ?? 0;
    counts.set(arch, newer + 1);
    const has = (patterns: readonly string[]) =>
      tags.some((tag) => protectionOf(tag, patterns) !== undefined);
    if (has(options.protectedTags)) return 'protected';
    if (newer < (rules.keepLast ?? 0)) return 'last';
    const used = Math.max(Date.parse(createdAt), pulledAt === null ? 0 : Date.parse(pulledAt));
    if (rules.keepDays !== undefined && options.now - used < rules.keepDays * DAY) return 'days';
    if (has(rules.keepTags ?? [])) return 'tag';
    return null;
  });
}
