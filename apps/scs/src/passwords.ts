import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Flags, Surroundings } from '#libs/cli';
import type { SignIn } from '#libs/client';
import { DomainError } from '#libs/core';

/** Where a password comes from. Never from the command line: everybody on the machine could read it there. */
export const passwordFlags = {
  'password-file': {
    type: 'string',
    value: 'FILE',
    env: ['PASSWORD_FILE'],
    summary: 'read the password from the first line of a file',
  },
  'password-stdin': { type: 'boolean', summary: 'read the password from standard input' },
} as const satisfies Flags;

/** For commands that take user name and password in place of the administrator's token. */
export const signInFlags = {
  as: { type: 'string', value: 'USER', summary: 'sign in as this user, by password' },
  ...passwordFlags,
} as const satisfies Flags;

export interface PasswordFlags {
  readonly 'password-file': string | undefined;
  readonly 'password-stdin': boolean;
}

const MAXIMUM_BYTES = 4096;

/** The password of a file, of standard input, or of whoever sits at the terminal. @throws DomainError */
export async function readPassword(
  place: Surroundings,
  flags: PasswordFlags,
  message: string,
): Promise<string> {
  const file = flags['password-file'];
  if (file !== undefined) return firstLine(await readFile(resolve(place.cwd, file), 'utf8'));
  if (flags['password-stdin']) return firstLine(await readAll(place.stdin));
  return place.prompts.password({ message, flag: '--password-file or --password-stdin' });
}

/** The old password of somebody who changes it: of a file, or of whoever sits at the terminal. @throws DomainError */
export async function readOldPassword(
  place: Surroundings,
  file: string | undefined,
  username: string,
): Promise<string> {
  if (file !== undefined) return firstLine(await readFile(resolve(place.cwd, file), 'utf8'));
  return place.prompts.password({ message: `Old password of ${username}`, flag: '--old-password-file' });
}

/** The sign-in that `--as` asks for, if it does. */
export async function readSignIn(
  place: Surroundings,
  flags: PasswordFlags & { readonly as: string | undefined },
): Promise<SignIn | undefined> {
  if (flags.as === undefined) return undefined;
  return { username: flags.as, password: await readPassword(place, flags, `Password of ${flags.as}`) };
}

function firstLine(text: string): string {
  const [line = ''] = text.split(/\r?\n/, 1);
  if (line === '')
    throw new DomainError('bad_request', 'Expected a password in the first line, got an empty one');
  return line;
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk as string | Uint8Array);
    size += bytes.length;
    if (size > MAXIMUM_BYTES)
      throw new DomainError('bad_request', `Expected a password of at most ${MAXIMUM_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
