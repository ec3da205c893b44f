import type { IncomingHttpHeaders } from 'node:http';
import { DomainError } from '#libs/core';

/**
 * Refuses a form that another site has sent. Browsers say where a form comes from: `Sec-Fetch-Site` (W3C Fetch Metadata), which
 * no script can set, is right also behind a proxy that calls us by another name; older ones say `Origin` alone (RFC 6454 §7).
 * What says neither is no browser, and has no cookie that somebody else could use.
 * @throws DomainError `forbidden`
 */
export function requireOwnForm(headers: IncomingHttpHeaders): void {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  const own = site === undefined ? origin === undefined || hostOf(origin) === host : site === 'same-origin';
  if (!own)
    throw new DomainError('forbidden', 'This form came from another site, so nothing was done', {
      reason: 'foreign_form',
    });
}

/** Host and port of an origin; undefined for `null` and anything else that is none. */
function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host;
}
