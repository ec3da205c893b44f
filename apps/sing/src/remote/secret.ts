import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Flags, Surroundings } from '#libs/cli';

/** Flags that say where a password or token comes from. */
export const secretFlags = {
  tokenfile: {
    type: 'string',
    value: 'FILE',
    summary: 'read it from the first line of a file; - is standard input',
  },
  'password-stdin': { type: 'boolean', summary: 'read it from standard input' },
  password: {
    type: 'string',
    short: 'p',
    value: 'TEXT',
    env: ['LOGIN_PASSWORD'],
    summary: 'it itself; others on this machine can see it',
  },
} as const satisfies Flags;

interface SecretFlags {
  readonly tokenfile: string | undefined;
  readonly 'password-stdin': boolean;
  readonly password: string | undefined;
}

/** Longest that is read, in bytes; a token has at most 4096 (library contract §2.3). */
const MAXIMUM_INPUT = 8192;

/** The first line of what the flags name, or what the person types. */
export async function readSecret(
  { cwd, stdin, prompts }: Surroundings,
  flags: SecretFlags,
  message: string,
): Promise<string> {
  const text = async (): Promise<string> => {
    if (flags['password-stdin'] || flags.tokenfile === '-') return readAll(stdin);
    if (flags.tokenfile !== undefined) return readFile(resolve(cwd, flags.tokenfile), 'utf8');
    if (flags.password !== undefined) return flags.password;
    return prompts.password({ message, flag: '--tokenfile FILE or --password-stdin', fromPipe: true });
  };
  return ((await text()).split('\n')[0] ?? '').replace(/\r$/, '');
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.length > MAXIMUM_INPUT) break;
  }
  return text;
}
