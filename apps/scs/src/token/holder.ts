import type { Flags } from '#libs/cli';
import { DomainError } from '#libs/core';

/** Whose tokens are meant; without them one's own. */
export const holderFlags = {
  user: { type: 'string', value: 'USER', summary: 'of this user instead of oneself' },
  robot: {
    type: 'string',
    value: 'ROBOT',
    summary: 'of this robot (organisation.name), for owners of its organisation and administrators',
  },
} as const satisfies Flags;

/** @throws DomainError `bad_request` when both are given */
export function holderOf(flags: {
  readonly user: string | undefined;
  readonly robot: string | undefined;
}): string | undefined {
  if (flags.user !== undefined && flags.robot !== undefined)
    throw new DomainError('bad_request', 'Expected --user or --robot, got both');
  return flags.robot ?? flags.user;
}
