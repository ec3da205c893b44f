import type { Flags, Surroundings } from '#libs/cli';
import type { KeystoreClient } from '#libs/client';
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
  if (url === undefined) {
    return withSession(place, async (session) => work(await session.keystore(), session));
  }
  const { KeystoreClient, keystoreBaseUrl } = await import('#libs/client');
  const frontend = keystoreBaseUrl(url);
  // "no Authorization header at all, even when credentials for that URI are stored" (keystore contract §1.2).
  const session = Session.withoutRemote(place, frontend);
  try {
    return await work(new KeystoreClient(await session.at(frontend, { authorize: false })), session);
  } finally {
    await session.close();
  }
}

/** A search as key servers understand it: fingerprints and ids get `0x` in front, in any case and with blanks. */
export function searchText(text: string): string {
  const hex = text.replaceAll(' ', '').replace(/^0x/i, '');
  return /^([0-9a-fA-F]{8}|[0-9a-fA-F]{16}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/.test(hex)
    ? `0x${hex}`
    : text.trim();
}
