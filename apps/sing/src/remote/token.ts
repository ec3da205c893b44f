import type { Flags, Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import { changeRemoteFile } from '../remotes/remote-file.js';
import { type Remote, uriForFile } from '../remotes/remotes.js';
import { withRemote } from '../session.js';
import { readSecret, secretFlags } from './secret.js';

/** Flags that say where a token comes from. */
export const tokenFlags = {
  ...secretFlags,
  tokenfile: {
    ...secretFlags.tokenfile,
    summary: 'read the token from the first line of a file; - is standard input',
  },
  'password-stdin': { ...secretFlags['password-stdin'], summary: 'read the token from standard input' },
  password: { ...secretFlags.password, summary: 'the token itself; others on this machine can see it' },
} as const satisfies Flags;

type TokenFlags = Parameters<typeof readSecret>[1];

/** "reads the first line only and requires 200–4096 bytes" in the stock program (library contract §2.3). */
const MAXIMUM_TOKEN = 4096;

/**
 * Gets a token from the person, checks it at the token service and stores it: "The token is stored only on success"
 * (library contract §2.3).
 */
export async function logIn(place: Surroundings, remote: Remote, flags: TokenFlags): Promise<void> {
  const { log, signal } = place;
  if (remote.origin === 'instance') {
    throw new DomainError('conflict', `The token of ${remote.name} comes from the instance itself`, {
      reason: 'instance_token',
      remedy: 'There is nothing to log in to',
    });
  }
  if (remote.token !== undefined) log.info(`The token of "${remote.name}" will be replaced.`);
  const token = await readToken(place, remote, flags);
  const valid = await withRemote(place, { ...remote, token }, async (session) => {
    const { isTokenValid } = await import('#libs/client');
    return isTokenValid(await session.service('token'), { signal });
  });
  if (!valid) {
    throw new DomainError('unauthorized', `${remote.name} does not accept this token`, {
      reason: 'invalid_token',
      remedy: `Make a new one at ${remote.frontend}/auth/tokens`,
    });
  }
  await changeRemoteFile(place, (file) => {
    // The token is the person's own; the rest of the entry says what it is for, as the stock programs write it.
    if (remote.global) return file.with(remote.name, { ...globalEntry(remote), token });
    // Somebody may have removed it while the person typed.
    if (file.get(remote.name) === undefined) {
      throw new DomainError('gone', `The remote ${remote.name} was removed meanwhile`);
    }
    return file.with(remote.name, { token });
  });
  log.info(`Logged in to "${remote.name}"; the token is stored.`);
}

/** How a remote of all users stands in the person's own file. */
export const globalEntry = ({ frontend, insecure }: Remote) =>
  ({ uri: uriForFile(frontend, insecure), insecure, system: true }) as const;

async function readToken(place: Surroundings, remote: Remote, flags: TokenFlags): Promise<string> {
  const asked = flags.tokenfile === undefined && !flags['password-stdin'] && flags.password === undefined;
  if (asked) place.log.info(`Generate a token at ${remote.frontend}/auth/tokens, and paste it here.`);
  const token = (await readSecret(place, flags, 'Token')).trim();
  if (token === '' || token.length > MAXIMUM_TOKEN || !/^[\x21-\x7E]+$/.test(token)) {
    throw new DomainError(
      'bad_request',
      'Expected a token of printable characters without blanks on the first line',
      {
        reason: 'bad_token',
      },
    );
  }
  return token;
}
