import { DomainError, expected } from '#libs/core';
import { parseLifetime } from '../lifetime.js';

/**
 * A point in time as people type it: `7d` or `12h` before now, a day (its beginning, UTC), or an ISO time.
 * @throws DomainError `bad_request`
 */
export function parseTime(text: string, flag: string, now: Date): string {
  if (/^[1-9][0-9]*[smhd]$/.test(text))
    return new Date(now.getTime() - parseLifetime(text) * 1000).toISOString();
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : new Date(Number.NaN);
  if (Number.isNaN(time.getTime()))
    throw new DomainError(
      'bad_request',
      expected('a time such as 7d, 2026-11-26 or 2026-11-26T10:00:00Z', flag, text),
    );
  return time.toISOString();
}
