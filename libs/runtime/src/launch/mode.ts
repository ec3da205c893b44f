import type { Facts } from '../facts.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type { IdRange, Identity, UserNamespace } from '../plan.js';
import { refusal } from '../refusal.js';
import type { Message } from '../answer.js';

/**
 * How a launch gets its power (runtime contract §0.3). `root`: the caller's own; `user`: a user namespace with the own id; `fakeroot`: a user
 * namespace in which the caller is root.
 */
export interface Mode {
  readonly kind: 'root' | 'user' | 'fakeroot';
  readonly userNamespace: UserNamespace | null;
  /** Other ids than the mounting one exist inside. */
  readonly severalIds: boolean;
}

/** @throws DomainError (status 255) when the configuration or the machine does not allow the mode that was asked */
export function chooseMode(options: LaunchOptions, facts: Facts, messages: Message[]): Mode {
  const { identity, configuration } = facts;
  const rootful = identity.effectiveUid === 0 && identity.systemAdmin && identity.initialUserNamespace;
  if (rootful && !options.userNamespace && !options.fakeroot)
    return { kind: 'root', userNamespace: null, severalIds: true };
  if (options.privileges === 'keep')
    throw refusal('Could not configure --keep-privs: requires root privileges');
  if (!configuration.allowUserNamespace)
    throw refusal('user namespaces are disabled by configuration ("allow user ns = no")');
  if (options.fakeroot) return fakeroot(facts, rootful, messages);
  return {
    kind: 'user',
    userNamespace: single(
      identity.effectiveUid,
      identity.effectiveUid,
      identity.effectiveGid,
      identity.effectiveGid,
    ),
    severalIds: false,
  };
}

/** The command that gives somebody sub-ids that nobody else has. */
function giveIds(name: string | number): string {
  return `sing config fakeroot --add ${name}`;
}

function single(uid: number, outsideUid: number, gid: number, outsideGid: number): UserNamespace {
  return {
    uidMap: [{ inside: uid, outside: outsideUid, count: 1 }],
    gidMap: [{ inside: gid, outside: outsideGid, count: 1 }],
    setgroups: 'deny',
    writtenBy: { kind: 'self' },
    enterAs: null,
  };
}

function fakeroot(facts: Facts, rootful: boolean, messages: Message[]): Mode {
  const { identity, subordinate } = facts;
  if (subordinate === null || subordinate.kind === 'refused')
    throw refusal(subordinate?.reason ?? 'the sub-ids of the caller are not known');
  if (subordinate.kind === 'none') {
    if (rootful) throw refusal(subordinate.reason, giveIds('root'));
    messages.push({
      level: 'WARNING',
      text: `${subordinate.reason}: only the root user exists in the container; an administrator can give more ids: ${giveIds(facts.account?.name ?? identity.uid)}`,
    });
    return {
      kind: 'fakeroot',
      userNamespace: single(0, identity.effectiveUid, 0, identity.effectiveGid),
      severalIds: false,
    };
  }
  const root: Identity = { uid: 0, gid: 0, groups: [0] };
  const map = (own: number, range: { outside: number; count: number }): readonly IdRange[] => [
    { inside: 0, outside: own, count: 1 },
    { inside: 1, outside: range.outside, count: range.count },
  ];
  if (!rootful && subordinate.programs === null)
    throw refusal(
      'newuidmap and newgidmap are needed for --fakeroot',
      'install the package uidmap (shadow-utils)',
    );
  return {
    kind: 'fakeroot',
    severalIds: true,
    userNamespace: {
      uidMap: map(identity.effectiveUid, subordinate.uid),
      gidMap: map(identity.effectiveGid, subordinate.gid),
      setgroups: 'allow',
      writtenBy:
        rootful || subordinate.programs === null
          ? { kind: 'parent' }
          : { kind: 'programs', ...subordinate.programs },
      enterAs: root,
    },
  };
}
