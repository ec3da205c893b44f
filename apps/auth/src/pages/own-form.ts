import type { IncomingHttpHeaders } from 'node:http';
import { DomainError } from '#libs/core';

/**
 * Refuses a form that another site has sent. Browsers say where a form comes from (`Origin`, RFC 6454 §7; `Sec-Fetch-Site`);
 * what says neither is no browser, and has no cookie that somebody else could use.
 * @throws DomainError `forbidden`
 */
export function requireOwnForm(headers: IncomingHttpHeaders): void {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  const own = origin === undefined ? site === undefined || site === 'same-origin' : hostOf(origin) === host;
  if (!own)
    throw new DomainError('forbidden', 'This form came from another site, so nothing was done', {
      reason: 'foreign_form',
    });
}

/** Host and port of an origin; undefined for `null` and anything else that is none. */
function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host;
}
