import type { Actor, ExpiringKey, KeyNotice, KeyRecord } from '#libs/contract';
import type { Notice, Party, StoredCertificate } from './collections.store.js';
import { maySeeHolders, roleOf } from './policy.js';
import { stateOf } from './served.js';

/** What the caller may know of a certificate. */
export function presentKey(certificate: StoredCertificate, actor: Actor | undefined): KeyRecord {
  const { fingerprint, created, expires, userIds, owner, contributors = [], hidden = [] } = certificate;
  return {
    fingerprint,
    state: stateOf(certificate),
    createdAt: timeOf(created),
    expiresAt: expires === undefined ? null : timeOf(expires),
    userIds: userIds.flatMap(({ text, hash, revoked, confirmed = false }) =>
      hash === undefined ? [] : [{ text, hash, revoked, confirmed }],
    ),
    owned: owner !== undefined,
    contributors: contributors.length,
    role: roleOf(actor, certificate),
    ...(maySeeHolders(actor, certificate) && {
      details: {
        owner: owner === undefined ? null : party(owner),
        contributors: contributors.map(party),
        hidden: [...hidden],
      },
    }),
  };
}

export function presentExpiring({ fingerprint, expires, userIds, owner }: StoredCertificate): ExpiringKey {
  return {
    fingerprint,
    expiresAt: timeOf(expires ?? 0),
    userIds: userIds.map(({ text }) => text),
    owner: owner?.username ?? null,
  };
}

export function presentNotice(notice: Notice, { userIds }: StoredCertificate): KeyNotice {
  const { fingerprint, expires, days, at, acknowledged } = notice;
  return {
    fingerprint,
    userIds: userIds.map(({ text }) => text),
    expiresAt: timeOf(expires),
    days,
    since: at,
    acknowledged,
  };
}

const party = ({ username, at }: Party) => ({ username, since: at });

const timeOf = (seconds: number): string => new Date(seconds * 1000).toISOString();
