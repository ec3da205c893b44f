import { createPrivateKey, type KeyObject } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { type SigningJwk, SIGNED_TYPES } from '#libs/contract';
import {
  newPrivateJwk,
  parsePrivateJwk,
  publicPart,
  readSmallFile,
  removeLeftovers,
  writeOnce,
} from '#libs/server';

const KEY_FILE = /^(\d{4})\.json$/;
const FIRST = '0001.json';

interface Signer {
  readonly kid: string;
  readonly key: KeyObject;
}

/**
 * The keys that sign tokens, as files (0600) in a folder of their own, numbered: the highest one signs, all of them are
 * published. They are not in the database, so that who reads the database, or a backup of it, cannot make tokens.
 */
export class SigningKeys {
  readonly #public: readonly SigningJwk[];
  readonly #signer: Signer;

  private constructor(published: readonly SigningJwk[], signer: Signer) {
    this.#public = published;
    this.#signer = signer;
  }

  /**
   * Opens the keys of `folder`; makes the first one when there is none. Two processes that start at once agree on one, and a
   * start that was killed leaves nothing that the next one minds.
   */
  static async open(folder: string): Promise<SigningKeys> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await removeLeftovers(folder);
    const names = await readdir(folder);
    const numbered = names.filter((name) => KEY_FILE.test(name)).sort();
    if (numbered.length === 0) {
      await writeOnce(join(folder, FIRST), `${JSON.stringify(await newPrivateJwk())}\n`);
      numbered.push(FIRST);
    }
    const keys = await Promise.all(numbered.map((name) => readKey(join(folder, name))));
    const last = keys.at(-1);
    if (last === undefined) throw new Error(`No signing key in ${folder}`);
    const key = createPrivateKey({ key: { ...last }, format: 'jwk' });
    return new SigningKeys(keys.map(publicPart), { kid: last.kid, key });
  }

  get published(): readonly SigningJwk[] {
    return this.#public;
  }

  /** Whether what the key `kid` signed is still taken. */
  has(kid: string | undefined): boolean {
    return this.#public.some((key) => key.kid === kid);
  }

  /** A compact JWS of `claims`. The type says what it is, so that nothing can be taken for something else. */
  sign(type: keyof typeof SIGNED_TYPES, claims: Record<string, unknown>): Promise<string> {
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: SIGNED_TYPES[type], kid: this.#signer.kid })
      .sign(this.#signer.key);
  }
}

async function readKey(file: string) {
  const text = await readSmallFile(file);
  if (text === undefined) throw new Error(`The signing key ${file} went away`);
  return parsePrivateJwk(text, file);
}
