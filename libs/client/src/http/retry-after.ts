/** More is a mistake of the server, or a refusal. */
const LONGEST = 7 * 24 * 60 * 60;

/**
 * Whole seconds that a `Retry-After` header asks to wait: "a number of seconds … or an HTTP-date" (RFC 9110 §10.2.3). Undefined for
 * anything else.
 * @param now milliseconds since 1970
 */
export function readRetryAfter(header: string | undefined, now: number = Date.now()): number | undefined {
  if (header === undefined || header.length > 64) return undefined;
  if (/^\d{1,9}$/.test(header)) return Math.min(Number(header), LONGEST);
  // What begins with the name of a day is a date; of anything else the parser of dates would make one, too.
  const time = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(header) ? Date.parse(header) : Number.NaN;
  if (Number.isNaN(time)) return undefined;
  return Math.min(Math.max(0, Math.ceil((time - now) / 1000)), LONGEST);
}
