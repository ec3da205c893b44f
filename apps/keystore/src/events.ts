import { hash } from 'node:crypto';
import type { AuditEvent } from '#libs/audit';
import type { Actor, AuditAction, AuditState } from '#libs/contract';
import { digestFromHex } from '#libs/core';
import type { Notice, StoredCertificate } from './collections.store.js';

/** What the audit trail says of a change: which certificate, and what it was and is. */
export function keyEvent(
  action: AuditAction,
  actor: Actor | null,
  before: StoredCertificate | undefined,
  after: StoredCertificate | undefined,
  fingerprint = (after ?? before)?.fingerprint,
): AuditEvent {
  if (fingerprint === undefined) throw new Error(`${action} is about no key`);
  return {
    action,
    actor,
    subject: { kind: 'key', name: fingerprint },
    ...(before !== undefined && { before: keyState(before) }),
    ...(after !== undefined && { after: keyState(after) }),
  };
}

/** Its hash, whether it is revoked, and whose it is. */
function keyState({ armor, revoked, owner, contributors, hidden }: StoredCertificate): AuditState {
  return {
    digest: digestFromHex(hash('sha256', armor)),
    revoked,
    contributors: contributors?.length ?? 0,
    hidden: hidden?.length ?? 0,
    ...(owner !== undefined && { username: owner.username }),
  };
}

/** Somebody is told that a key ends: what a mailer needs to know. */
export function noticeEvent({ fingerprint, expires, days }: Notice, username: string): AuditEvent {
  const expiresAt = new Date(expires * 1000).toISOString();
  return {
    action: 'key.notice',
    actor: null,
    subject: { kind: 'key', name: fingerprint },
    after: { username, expiresAt, days },
  };
}

/** A key that came into the keyring of an organisation, or was taken out. */
export function keyringEvent(
  action: 'keyring.add' | 'keyring.remove',
  actor: Actor,
  fingerprint: string,
  organisation: string,
): AuditEvent {
  const state: AuditState = { name: organisation };
  return {
    action,
    actor,
    subject: { kind: 'key', name: fingerprint },
    ...(action === 'keyring.add' ? { after: state } : { before: state }),
  };
}
