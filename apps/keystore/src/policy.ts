import { type Actor, hasScope, type OrganisationRole } from '#libs/contract';
import { DomainError, type ErrorCode } from '#libs/core';
import type { Party, StoredCertificate } from './collections.store.js';
import { isServed } from './served.js';

/** What was decided, and why not. */
export type Decision = { readonly allowed: true } | Refusal;

interface Refusal {
  readonly allowed: false;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly message: string;
  readonly remedy?: string;
}

type Asker = Pick<Actor, 'accountId' | 'scopes' | 'administrator' | 'organisations'>;
type Held = Pick<StoredCertificate, 'contributors' | 'owner'>;
type Seen = Held & Pick<StoredCertificate, 'fingerprint' | 'userIds' | 'revoked'>;

const YES: Decision = { allowed: true };

function no(code: ErrorCode, reason: string, message: string, remedy?: string): Refusal {
  return { allowed: false, code, reason, message, ...(remedy !== undefined && { remedy }) };
}

/** What is not there, and what one may not see. */
const NO_KEY = no('not_found', 'key_not_found', 'There is no such key');
const NO_KEYRING = no('not_found', 'keyring_not_found', 'There is no such keyring, or nothing in it');

/**
 * Turns a refusal into the error that the caller gets.
 * @param fingerprint what it is about, for the audit trail
 * @throws DomainError unless allowed
 */
export function enforce(decision: Decision, fingerprint?: string): void {
  if (!decision.allowed) throw refusal(decision, fingerprint);
}

/** The error for a key that is not there. */
export const noKey = (fingerprint: string): DomainError => refusal(NO_KEY, fingerprint);

/** The error for a key that may not come. */
export function keyBlocked(fingerprint: string): DomainError {
  return new DomainError('forbidden', `Key ${fingerprint.toUpperCase()} is blocked on this server`, {
    reason: 'key_blocked',
    about: { kind: 'key', name: fingerprint },
  });
}

/** The error for a keyring that is not there, or that has no key. */
export const noKeyring = (): DomainError => refusal(NO_KEYRING, undefined);

function refusal({ code, message, reason, remedy }: Refusal, fingerprint: string | undefined): DomainError {
  return new DomainError(code, message, {
    reason,
    ...(remedy !== undefined && { remedy }),
    ...(fingerprint !== undefined && { about: { kind: 'key', name: fingerprint } }),
  });
}

/** What an account is to a certificate: the one that proved that it has the key, one that brought something of it, or nothing. */
export function roleOf(
  actor: Asker | undefined,
  { owner, contributors = [] }: Held,
): 'owner' | 'contributor' | 'none' {
  if (actor === undefined) return 'none';
  if (owner?.account === actor.accountId) return 'owner';
  return contributors.some(({ account }) => account === actor.accountId) ? 'contributor' : 'none';
}

const isAdministrator = (actor: Asker | undefined): boolean =>
  actor !== undefined && hasScope(actor, 'admin');

/** Everybody what is served; the rest whoever owns or brought it, and administrators. */
export function maySee(actor: Asker | undefined, certificate: Seen): Decision {
  const knows = roleOf(actor, certificate) !== 'none' || isAdministrator(actor);
  return isServed(certificate) || knows ? YES : NO_KEY;
}

/** Who is told the names of the others, and what is hidden. */
export function maySeeHolders(actor: Asker | undefined, certificate: Held): boolean {
  return roleOf(actor, certificate) !== 'none' || isAdministrator(actor);
}

/** Hiding is the owner's alone: who only brought a key may not decide what others see of it. */
export function mayHide(actor: Asker, certificate: Seen): Decision {
  const see = maySee(actor, certificate);
  if (!see.allowed || roleOf(actor, certificate) === 'owner') return see;
  return no(
    'forbidden',
    'not_owner',
    'Only the account that has proved that it has the key hides its user ids',
    'Prove it: sing key claim FINGERPRINT',
  );
}

/** Whether all of a certificate goes, or only what the account brought of it: owners and administrators remove it at once. */
export function mayRemove(
  actor: Asker,
  certificate: Seen,
): Decision & { readonly what?: 'whole' | 'contribution' } {
  const see = maySee(actor, certificate);
  if (!see.allowed) return see;
  const role = roleOf(actor, certificate);
  if (role === 'owner' || isAdministrator(actor)) return { allowed: true, what: 'whole' };
  if (role === 'contributor') return { allowed: true, what: 'contribution' };
  return no(
    'forbidden',
    'not_yours',
    'Only the owner of the key, those who brought it and administrators remove it',
    'If you have the key, prove it: sing key claim FINGERPRINT',
  );
}

const memberOf = (actor: Asker, organisation: string): OrganisationRole | undefined =>
  Object.hasOwn(actor.organisations, organisation) ? actor.organisations[organisation] : undefined;

/** Members put keys into a keyring that they have proved to have. */
export function mayPutIntoKeyring(
  actor: Asker,
  organisation: string,
  certificate: Seen | undefined,
): Decision {
  // The same for an organisation that is not there.
  if (memberOf(actor, organisation) === undefined)
    return no(
      'not_found',
      'organisation_not_found',
      'There is no such organisation, or you do not belong to it',
    );
  if (certificate === undefined) return NO_KEY;
  const see = maySee(actor, certificate);
  if (!see.allowed || roleOf(actor, certificate) === 'owner') return see;
  return no(
    'forbidden',
    'not_owner',
    'Only the account that has proved that it has the key puts it into a keyring',
    'Prove it: sing key claim FINGERPRINT',
  );
}

/** Whoever put a key into a keyring takes it out, also after leaving; and owners of the organisation, and administrators. */
export function mayTakeFromKeyring(
  actor: Asker,
  organisation: string,
  entry: { readonly account: string } | undefined,
): Decision {
  if (entry === undefined) return NO_KEYRING;
  if (entry.account === actor.accountId || isAdministrator(actor)) return YES;
  const role = memberOf(actor, organisation);
  if (role === 'owner') return YES;
  if (role === undefined) return NO_KEYRING;
  return no(
    'forbidden',
    'owner_needed',
    `This is for whoever put the key there, and for owners of ${organisation}`,
  );
}

/** Who is told of its end: the owner; while nobody has proved to have it, those who brought it. */
export function toldOfEnd({ owner, contributors = [] }: Held): readonly Party[] {
  return owner === undefined ? contributors : [owner];
}

/** Everybody sees what of the own expires; administrators also what of others does. */
export function mayListExpiring(actor: Asker, all: boolean): Decision {
  if (!all || isAdministrator(actor)) return YES;
  return no('forbidden', 'scope_missing', 'The token lacks the scope admin');
}
