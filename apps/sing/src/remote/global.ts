import type { Flags } from '#libs/cli';
import { DomainError } from '#libs/core';

export const globalFlag = {
  global: { type: 'boolean', short: 'g', summary: 'for all users of this installation (root only)' },
} as const satisfies Flags;

/** A remote that is not among those of all users. */
export const notGlobal = (name: string) =>
  new DomainError('not_found', `${name} is not a remote of all users`, {
    reason: 'unknown_remote',
    remedy: 'See which are: sing remote list',
  });
