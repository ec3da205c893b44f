import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Flags, Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import { changeRemoteFile } from '../remotes/remote-file.js';
import type { Remote } from '../remotes/remotes.js';
import { withRemote } from '../session.js';

/** Flags that say where a token comes from. */
export const tokenFlags = {
  tokenfile: {
    type: 'string',
    value: 'FILE',
    summary: 'read the token from the first line of a file; - is standard input',
  },
  'password-stdin': { type: 'boolean', summary: 'read the token from standard input' },
} as const satisfies Flags;

interface TokenFlags {
  readonly tokenfile: string | undefined;
  readonly 'password-stdin': boolean;
}

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
    // Somebody may have removed it while the person typed.
    if (file.get(remote.name) === undefined) {
      throw new DomainError('gone', `The remote ${remote.name} was removed meanwhile`);
    }
    return file.with(remote.name, { token });
  });
  log.info(`Logged in to "${remote.name}"; the token is stored.`);
}

async function readToken(place: Surroundings, remote: Remote, flags: TokenFlags): Promise<string> {
  const { cwd, stdin, prompts, log } = place;
  let text: string;
  if (flags['password-stdin'] || flags.tokenfile === '-') text = await readAll(stdin);
  else if (flags.tokenfile !== undefined) text = await readFile(resolve(cwd, flags.tokenfile), 'utf8');
  else {
    log.info(`Generate a token at ${remote.frontend}/auth/tokens, and paste it here.`);
    text = await prompts.password({ message: 'Token', flag: '--tokenfile FILE or --password-stdin' });
  }
  const token = (text.split('\n')[0] ?? '').trim();
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

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.length > 2 * MAXIMUM_TOKEN) break;
  }
  return text;
}
