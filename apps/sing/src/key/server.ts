import type { Flags, Surroundings } from '#libs/cli';
import type { HttpClient, KeystoreClient } from '#libs/client';
import { currentRemote } from '../remotes/remotes.js';
import { Session, withSession } from '../session.js';

export const urlFlag = {
  url: {
    type: 'string',
    short: 'u',
    value: 'URL',
    env: ['URL'],
    summary: 'a key server other than that of the remote; it gets no token',
  },
} as const satisfies Flags;

/** Runs work with the key server of the remote, or with the one that was named. */
export async function withKeystore<T>(
  place: Surroundings,
  url: string | undefined,
  work: (keystore: KeystoreClient, session: Session) => Promise<T>,
): Promise<T> {
  return withKeyServer(place, url, async (http, session) => {
    const { KeystoreClient } = await import('#libs/client');
    return work(new KeystoreClient(http), session);
  });
}

/** The same with a plain client of its address. */
export async function withKeyServer<T>(
  place: Surroundings,
  url: string | undefined,
  work: (http: HttpClient, session: Session) => Promise<T>,
): Promise<T> {
  if (url === undefined) {
    return withSession(place, async (session) => work(await session.service('keystore'), session));
  }
  const { keystoreBaseUrl } = await import('#libs/client');
  const frontend = keystoreBaseUrl(url);
  // "no Authorization header at all, even when credentials for that URI are stored" (keystore contract §1.2).
  const session = Session.withoutRemote(place, frontend);
  try {
    return await work(await session.at(frontend, { authorize: false }), session);
  } finally {
    await session.close();
  }
}

/** What a key server is called where something is remembered of it. @throws DomainError when there is no remote */
export async function keyServerName(place: Surroundings, url: string | undefined): Promise<string> {
  return url ?? (await currentRemote(place)).frontend;
}

/** A search as key servers understand it: fingerprints and ids get `0x` in front, in any case and with blanks. */
export function searchText(text: string): string {
  const hex = text.replaceAll(' ', '').replace(/^0x/i, '');
  return /^([0-9a-fA-F]{8}|[0-9a-fA-F]{16}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/.test(hex)
    ? `0x${hex}`
    : text.trim();
}
