import { z } from 'zod';
import { envelope } from './envelope.js';

/* What the library counts: stars, downloads of a day, and what accounts hold. Ours, below the addresses of the management. */

/** `PUT` and `DELETE` of a star: whether the caller has one there now, and how many there are. */
export const StarAnswer = envelope(z.object({ starred: z.boolean(), stars: z.number().int() }));
export type StarAnswer = z.output<typeof StarAnswer>;

/** A container with a star of the caller's; the latest star first. */
export const StarredContainer = z.object({
  id: z.string(),
  entity: z.string(),
  collection: z.string(),
  name: z.string(),
  description: z.string(),
  private: z.boolean(),
  stars: z.number().int(),
  downloadCount: z.number().int(),
  starredAt: z.string(),
});
export type StarredContainer = z.output<typeof StarredContainer>;
export const StarsList = envelope(z.array(StarredContainer));

/** A day of the calendar, UTC: `2026-05-04`. */
const Day = z.iso.date();

/** `GET /v1/manage/downloads/…`: from one day to another, both of them included. Without them the last thirty days. */
export const DownloadsQuery = z.object({ from: Day.optional(), to: Day.optional() });
export type DownloadsQuery = z.output<typeof DownloadsQuery>;

/** Downloads that began with the first byte; a day without any is not in it. */
export const DownloadsAnswer = envelope(
  z.object({
    from: Day,
    to: Day,
    total: z.number().int(),
    days: z.array(z.object({ day: Day, downloads: z.number().int() })),
  }),
);
export type DownloadsAnswer = z.output<typeof DownloadsAnswer>;

/**
 * What an account may hold and holds over all entities, in bytes. `quota` is 0 where there is no limit, and `ownQuota` is null where it is
 * the one that all accounts have. `reserved` is for uploads under way.
 */
export const AccountUsage = envelope(
  z.object({
    account: z.string(),
    quota: z.number().int(),
    ownQuota: z.number().int().nullable(),
    used: z.number().int(),
    reserved: z.number().int(),
  }),
);
export type AccountUsage = z.output<typeof AccountUsage>;

/** `PATCH /v1/manage/accounts/{account}`. In bytes, 0 for no limit, null for that of all accounts: administrators only. */
export const ChangeAccountRequest = z.object({ quota: z.int().min(0).nullable().optional() });
export type ChangeAccountRequest = z.output<typeof ChangeAccountRequest>;
