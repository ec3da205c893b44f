import { DomainError } from '#libs/core';

/** The next request of a redirect. */
export interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly keepBody: boolean;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Whether a status asks to look elsewhere. */
export function isRedirect(status: number): boolean {
  return REDIRECTS.has(status);
}

/**
 * Where a redirect leads: "301/302/303 → GET; 307/308 keep method and body if replayable" (library contract §3).
 * @throws DomainError for a redirect without a usable address, and for one that gives up encryption
 */
export function nextHop(from: URL, method: string, status: number, location: string | undefined): Hop {
  const url = location === undefined ? null : URL.parse(location, from.href);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new DomainError('unavailable', `${from.origin} redirects to no usable address`, {
      reason: 'bad_redirect',
    });
  }
  if (from.protocol === 'https:' && url.protocol === 'http:') {
    throw new DomainError(
      'unavailable',
      `${from.origin} redirects to ${url.origin}, which is not encrypted`,
      {
        reason: 'insecure_redirect',
      },
    );
  }
  const keep = status === 307 || status === 308 || method === 'GET' || method === 'HEAD';
  return { url, method: keep ? method : 'GET', keepBody: keep };
}
