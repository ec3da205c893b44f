import { DomainError } from '#libs/core';

/** What stands in a MongoDB address for this program rather than for the driver. */
export interface MongoAddress {
  /** For the driver. */
  readonly url: string;
  /** The database that the service uses. */
  readonly database: string;
  /**
   * The switch of the tests: the server at the other end is a stand-in for the protocol which knows no transactions, so
   * commits are made one write after the other. Refused on a real MongoDB.
   */
  readonly sequentialCommits: boolean;
}

const SWITCH = /[?&]scsTestOnly=sequential-commits(?=&|$)/;

/**
 * Every service has a database of its own. An address that names the service's database (`…/auth`, `…/site_auth`) is taken
 * as it is; one that several services share (`…/scs`, or none) gets the service's name behind it: `scs_auth`.
 * @throws DomainError `bad_request` for a password that the driver would take for a part of the host
 */
export function parseMongoAddress(text: string, service: string): MongoAddress {
  if (/^[^?]*@[^?]*@/.test(text))
    throw new DomainError(
      'bad_request',
      `The database address ${withoutSecrets(text)} is not valid: user and password must be percent-encoded`,
      { reason: 'bad_database_url', remedy: 'Write @ as %40, : as %3A and / as %2F in SCS_DATABASE_URL' },
    );
  const sequentialCommits = SWITCH.test(text);
  const without = text.replace(SWITCH, (found) => (found.startsWith('?') ? '?' : '')).replace('?&', '?');
  const named = /^[a-z+]+:\/\/[^/]*\/([^?]*)/.exec(without)?.[1] ?? '';
  const name = decodeURIComponent(named);
  const own = name === service || name.endsWith(`_${service}`) || name.endsWith(`-${service}`);
  return {
    url: without,
    database: own ? name : `${name === '' ? 'scs' : name}_${service}`,
    sequentialCommits,
  };
}

/** The address without user and password, for messages. */
export function withoutSecrets(text: string): string {
  // Up to the last @: a password that was not percent-encoded may hold one itself.
  return text.replace(/\?.*$/s, '').replace(/\/\/.*@/s, '//***@');
}
