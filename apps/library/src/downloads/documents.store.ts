import { z } from 'zod';
import type { CollectionSpec } from '#libs/documents';

/** How often a container was downloaded on a day; its id is `container/day`. */
const DownloadDayDocument = z.object({
  /** Id. */
  container: z.string(),
  /** UTC: `2026-05-04`. */
  day: z.string(),
  downloads: z.number(),
});
export type DownloadDayDocument = z.infer<typeof DownloadDayDocument>;

export type DownloadDayIndex = 'byContainer' | 'byDay';
export const DOWNLOAD_DAYS = {
  name: 'downloadDays',
  schema: DownloadDayDocument,
  indexes: { byContainer: { fields: ['container', 'day'] }, byDay: { fields: ['day'] } },
} as const satisfies CollectionSpec<DownloadDayDocument>;

export function downloadDayId(container: string, day: string): string {
  return `${container}/${day}`;
}
