import type { RequiredSigners, SignatureState } from '#libs/contract';
import { DomainError } from '#libs/core';
import type { Standing } from './signers.service.js';

/** What is about to happen to an image. */
export type Passage = 'push' | 'pull';

const WORDS: Record<Passage, string> = { push: 'pushed to', pull: 'pulled from' };
const FAULTS: Partial<Record<SignatureState, string>> = {
  changed: 'the signature of {} is over something else than what is in it',
  key_unknown: 'the key of {} is not in the keystore',
  key_revoked: 'the key of {} was revoked',
  key_expired: 'the key of {} has expired',
  bad: 'the signature of {} is not good',
};
/** Fingerprints that a sentence names. */
const NAMED = 3;

/**
 * Why an image may not pass the door of an entity: nobody of those of whom one must have signed it has signed it, or that is not known at
 * the moment. Undefined: it may. The only place where that is decided.
 * @param entity its name
 */
export function refusalAtTheDoor(
  passage: Passage,
  { entity, rules }: { readonly entity: string; readonly rules: RequiredSigners | undefined },
  { signers, signatures, certain }: Standing,
): DomainError | undefined {
  const required = rules?.[passage];
  if (required === undefined || required.some((one) => certain && signers.includes(one))) return undefined;
  const names = required.slice(0, NAMED).map(shortOf).join(', ');
  const others = required.length > NAMED ? ` and ${required.length - NAMED} more` : '';
  const who = required.length === 1 ? names : `one of ${names}${others}`;
  const rule = `Only images signed by ${who} may be ${WORDS[passage]} ${entity}`;
  if (!certain)
    return new DomainError(
      'unavailable',
      `${rule}, and the keystore cannot be asked for the keys at the moment`,
      {
        reason: 'signers_unknown',
        remedy: 'Try again later. The image stays what it is.',
      },
    );
  const faults = signatures.flatMap(({ fingerprint, state }) => {
    const fault = FAULTS[state];
    return fingerprint !== undefined && fault !== undefined && required.includes(fingerprint)
      ? fault.replace('{}', shortOf(fingerprint))
      : [];
  });
  const why =
    faults[0] ??
    (signatures.length === 0 ? 'this one is not signed' : 'they have not signed all of this one');
  // For the audit trail.
  const about = { kind: 'entity', name: entity };
  const change = `or let an owner of ${entity} change its requiredSigners`;
  return new DomainError('forbidden', `${rule}: ${why}`, {
    reason: 'signer_required',
    about,
    remedy:
      passage === 'push'
        ? `Sign it with such a key that the keystore has (sing sign), and push it again; ${change}.`
        : `Pull one that they have signed, ${change}.`,
  });
}

/** The id of a key, as tools show it: the end of its fingerprint. */
function shortOf(fingerprint: string): string {
  return fingerprint.slice(-16).toUpperCase();
}
