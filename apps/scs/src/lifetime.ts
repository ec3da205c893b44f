import { DomainError, expected } from '#libs/core';

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** `90d`, `12h`, `30m`, `45s` in seconds. @throws DomainError `bad_request` */
export function parseLifetime(text: string): number {
  const [, count, unit] = /^([1-9][0-9]{0,8})([smhd])$/.exec(text) ?? [];
  if (count === undefined || unit === undefined)
    throw new DomainError('bad_request', expected('a time such as 90d, 12h or 30m', '--lifetime', text));
  return Number(count) * UNITS[unit as keyof typeof UNITS];
}
