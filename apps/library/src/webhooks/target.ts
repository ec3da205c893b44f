import { isIP } from 'node:net';
import { DomainError } from '#libs/core';
import type { Reachable } from './addresses.js';

/**
 * The address of a receiver, checked as far as it can be before anybody is asked: what a name leads to is looked at each time.
 * @throws DomainError `bad_request`
 */
export function targetOf(text: string, reachable: Reachable): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw refused('Expected an https address for url');
  if (url.username !== '' || url.password !== '')
    throw refused('Expected an address without user name and password for url');
  if (url.hash !== '') throw refused('Expected an address without # for url');
  if (url.protocol === 'http:' && !reachable.allowsPlain(url.hostname))
    throw refused('Expected an https address for url', 'Events are sent encrypted.');
  if (isIP(bare(url.hostname)) !== 0 && !reachable.allows(url.hostname))
    throw refused('Expected an address outside of this network for url');
  return url.href;
}

const bare = (host: string): string => host.replace(/^\[|\]$/g, '');

/** The address itself is not repeated: it may hold a secret, and messages are logged. */
function refused(message: string, remedy?: string): DomainError {
  return new DomainError('bad_request', message, {
    reason: 'invalid_url',
    ...(remedy === undefined ? {} : { remedy }),
  });
}
