import type { AuditEvent, Caller } from '#libs/audit';
import type { Actor } from '#libs/contract';
import { isDigest } from '#libs/core';
import type { Build } from './builds.store.js';

/** What the audit trail of the builder says. */

export function submitted(id: string, { place, architecture }: Build, actor: Actor): AuditEvent {
  return { ...event('build.submit', id, actor), after: { place, arch: architecture } };
}

/**
 * A build is over.
 * @param actor who cancelled it, or the token of the worker that reports its end; null when the builder gave it up
 */
export function ended(id: string, build: Build, actor: Caller | null): AuditEvent {
  const { status, failureReason, imageChecksum, imageSize, place } = build;
  if (status === 'Cancelled') return { ...event('build.cancel', id, actor), after: { place } };
  if (failureReason !== undefined)
    return {
      ...event('build.end', id, actor),
      outcome: 'failed',
      reason: actor === null ? 'build_given_up' : 'build_failed',
      after: { place },
    };
  return {
    ...event('build.end', id, actor),
    after: {
      place,
      ...(imageChecksum !== undefined && isDigest(imageChecksum) && { digest: imageChecksum }),
      ...(imageSize !== undefined && { size: imageSize }),
    },
  };
}

/** A build was taken out of the lists. */
export function hidden(id: string, { place }: Build, actor: Actor): AuditEvent {
  return { ...event('build.delete', id, actor), before: { place } };
}

function event<A extends AuditEvent['action']>(action: A, id: string, actor: Caller | null) {
  return { action, actor, subject: { kind: 'build', name: id } } as const;
}
