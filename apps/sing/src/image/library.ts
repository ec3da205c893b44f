import type { Flags, Surroundings } from '#libs/cli';
import type { LibraryClient } from '#libs/client';
import { DomainError } from '#libs/core';
import { currentRemote } from '../remotes/remotes.js';
import { Session, withRemote } from '../session.js';

export const libraryFlags = {
  library: {
    type: 'string',
    value: 'URL',
    env: ['LIBRARY'],
    summary: 'a library other than that of the remote; it gets no token',
  },
  'no-https': {
    type: 'boolean',
    env: ['NOHTTPS', 'NO_HTTPS'],
    summary: 'speak plain HTTP to a registry, or to a library that is named by its host',
  },
} as const satisfies Flags;

export const archFlag = {
  arch: {
    type: 'string',
    value: 'ARCH',
    env: ['ARCH', 'PULL_ARCH'],
    summary: 'architecture, for example arm64; that of this machine when absent',
  },
} as const satisfies Flags;

export interface LibraryChoice {
  /** `--library`. */
  readonly library: string | undefined;
  /** Host in the reference itself. */
  readonly host: string | undefined;
  readonly noHttps: boolean;
}

/**
 * Runs work with the library of the remote, or with the one that was named: "`library://host[:port]/…` and `--library URL`
 * bypass discovery … No token is sent in these cases" (library contract §2.2).
 */
export async function withLibrary<T>(
  place: Surroundings,
  choice: LibraryChoice,
  work: (library: LibraryClient, session: Session) => Promise<T>,
): Promise<T> {
  const { LibraryClient } = await import('#libs/client');
  const named = baseOf(choice);
  const remote = await currentRemote(place).catch((error: unknown) => {
    // A library that is named needs no remote.
    if (named !== undefined && error instanceof DomainError && error.reason === 'no_remote') return undefined;
    throw error;
  });
  if (remote === undefined) {
    const session = Session.withoutRemote(place, named ?? '');
    try {
      return await work(new LibraryClient(await session.at(named ?? '', { authorize: false })), session);
    } finally {
      await session.close();
    }
  }
  return withRemote(place, remote, async (session) => {
    if (named === undefined) return work(new LibraryClient(await session.service('library')), session);
    const own = await session.uri('library');
    if (named === own || (choice.library === undefined && sameHost(named, own))) {
      return work(new LibraryClient(await session.service('library')), session);
    }
    if (remote.exclusive) {
      throw new DomainError('forbidden', `The remote ${remote.name} is exclusive: only ${own} can be used`, {
        reason: 'exclusive_remote',
      });
    }
    return work(new LibraryClient(await session.elsewhere(named)), session);
  });
}

function baseOf({ library, host, noHttps }: LibraryChoice): string | undefined {
  if (host !== undefined) return `${noHttps ? 'http' : 'https'}://${host}`;
  return library?.replace(/\/+$/, '');
}

/** A reference that names the remote's own library by its host means that library, token included. */
function sameHost(a: string, b: string): boolean {
  const [one, other] = [URL.parse(a), URL.parse(b)];
  return one !== null && one.host === other?.host;
}
