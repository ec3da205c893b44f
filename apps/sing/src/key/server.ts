import type { Flags, Surroundings } from '#libs/cli';
import type { HttpClient, KeystoreClient } from '#libs/client';
import { DomainError, messageOf } from '#libs/core';
import { withLoginRemedy } from '../login-remedy.js';
import { currentRemote, type Remote } from '../remotes/remotes.js';
import { isLoopback, Session, withRemote, withSession } from '../session.js';

export const urlFlag = {
  url: {
    type: 'string',
    short: 'u',
    value: 'URL',
    env: ['URL'],
    summary: 'a key server other than those of the remote; it gets no token',
  },
} as const satisfies Flags;

/** A key server that can be asked. */
export interface KeyServer {
  /** What it is called where something is remembered of it, and to people. */
  readonly name: string;
  /** It is the remote's own: whoever is logged in there is known to it. */
  readonly own: boolean;
  open(): Promise<HttpClient>;
}

/** Runs work with the first key server of the remote, or with the one that was named. */
export async function withKeystore<T>(
  place: Surroundings,
  url: string | undefined,
  work: (keystore: KeystoreClient, session: Session, server: KeyServer) => Promise<T>,
): Promise<T> {
  return withKeyServers(place, url, async ([first], session) => {
    const { KeystoreClient } = await import('#libs/client');
    try {
      return await work(new KeystoreClient(await first.open()), session, first);
    } catch (error) {
      throw withLogin(error, first);
    }
  });
}

/**
 * Asks the key servers of the remote in their order until one has an answer, or the one that was named. One that does not answer
 * is a warning as long as there is another.
 * @param ask undefined: this one has nothing
 * @returns undefined when none has anything
 * @throws what the last one threw, when none of them answered
 */
export async function askInOrder<T>(
  place: Surroundings,
  url: string | undefined,
  ask: (http: HttpClient, server: KeyServer) => Promise<T | undefined>,
): Promise<T | undefined> {
  return withKeyServers(place, url, async (servers) => {
    let answered = false;
    for (const [index, server] of servers.entries()) {
      try {
        const answer = await ask(await server.open(), server);
        if (answer !== undefined) return answer;
        answered = true;
      } catch (thrown) {
        place.signal.throwIfAborted();
        const error = withLogin(thrown, server);
        const last = index === servers.length - 1;
        if (last && !answered) throw error;
        tellFailed(place, server, error);
      }
    }
    return undefined;
  });
}

/** One of several key servers does not answer. @throws the error itself when it is none that a person can understand */
export function tellFailed({ log }: Surroundings, { name }: KeyServer, error: unknown): void {
  if (!(error instanceof DomainError)) throw error;
  log.warning(`The key server ${name} could not be asked: ${messageOf(error)}`, error.remedy);
}

/** Runs work with all of them, in the order in which they are asked; there is always one. */
export async function withKeyServers<T>(
  place: Surroundings,
  url: string | undefined,
  work: (servers: readonly [KeyServer, ...KeyServer[]], session: Session) => Promise<T>,
): Promise<T> {
  const { keystoreBaseUrl } = await import('#libs/client');
  if (url === undefined) {
    return withSession(place, (session) => {
      const [first, ...others] = serversOf(session, keystoreBaseUrl);
      return work([first ?? ownServer(session), ...others], session);
    });
  }
  const address = keystoreBaseUrl(url);
  await refuseUnlessListed(place, address, keystoreBaseUrl);
  // "no Authorization header at all, even when credentials for that URI are stored" (keystore contract §1.2).
  const session = Session.withoutRemote(place, address);
  try {
    const open = () => session.at(address, { authorize: false });
    return await work([{ name: url, own: false, open }], session);
  } finally {
    await session.close();
  }
}

type ToOrigin = (uri: string) => string;

/** Those that were listed for the remote, or its own. An address that is none is no reason to ask nobody. */
function serversOf(session: Session, originOf: ToOrigin): KeyServer[] {
  const { keyservers, credentials } = session.remote;
  return keyservers
    .filter(({ skip }) => !skip)
    .map(({ uri, external, insecure }) => {
      if (!external) return ownServer(session);
      const authorization = credentials.find((one) => isSame(one.uri, uri, originOf))?.auth;
      return {
        name: uri,
        own: false,
        open: async () => {
          const address = originOf(uri);
          if (authorization !== undefined && !insecure && isPlain(address)) throw unencrypted(uri);
          return session.elsewhere(address, { authorization, unverified: insecure });
        },
      };
    });
}

const ownServer = (session: Session): KeyServer => ({
  name: session.remote.frontend,
  own: true,
  open: () => session.service('keystore'),
});

/** Whether two addresses name the same key server. */
export function isSame(a: string, b: string, originOf: ToOrigin): boolean {
  try {
    return originOf(a) === originOf(b);
  } catch {
    return false;
  }
}

/** Whether what is sent there could be read on its way. */
export const isPlain = (address: string): boolean => address.startsWith('http:') && !isLoopback(address);

const unencrypted = (uri: string) =>
  new DomainError('forbidden', `What you are logged in to ${uri} with would travel unencrypted`, {
    reason: 'insecure_address',
    remedy: `Add it with https://, or log out: sing keyserver logout ${uri}`,
  });

/** "only … can be used": what an exclusive remote lists (library contract §2.2). */
async function refuseUnlessListed(place: Surroundings, address: string, originOf: ToOrigin): Promise<void> {
  const remote = await currentRemote(place).catch((error: unknown): Remote | undefined => {
    // A key server that is named needs no remote.
    if (error instanceof DomainError && error.reason === 'no_remote') return undefined;
    throw error;
  });
  if (remote?.exclusive !== true) return;
  const own = await withRemote(place, remote, (session) => session.uri('keystore'));
  const listed = [own, ...remote.keyservers.filter(({ skip }) => !skip).map(({ uri }) => uri)];
  if (listed.some((uri) => isSame(uri, address, originOf))) return;
  throw new DomainError(
    'forbidden',
    `The remote ${remote.name} is exclusive: only its key servers can be used`,
    { reason: 'exclusive_remote', remedy: 'See which they are: sing keyserver list' },
  );
}

/** A refusal of what is stored for a key server is not mended by logging in to the remote. */
export function withLogin(error: unknown, { name, own }: KeyServer): unknown {
  return own ? error : withLoginRemedy(error, `Log in to the key server: sing keyserver login ${name}`);
}

/** A search as key servers understand it: fingerprints and ids get `0x` in front, in any case and with blanks. */
export function searchText(text: string): string {
  const hex = text.replaceAll(' ', '').replace(/^0x/i, '');
  return /^([0-9a-fA-F]{8}|[0-9a-fA-F]{16}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/.test(hex)
    ? `0x${hex}`
    : text.trim();
}
