import { createPrivateKey } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { z } from 'zod';
import { SIGNED_TYPES, type SigningJwk, TOKEN_LIMITS } from '#libs/contract';
import { type Clock, messageOf } from '#libs/core';
import {
  newPrivateJwk,
  parsePrivateJwk,
  publicPart,
  readSmallFile,
  removeLeftovers,
  writeOnce,
} from '#libs/server';
import { AUTH_LIMITS } from './limits.js';
import { publishedAfter, type SigningKey, signerAt } from './signing-schedule.js';

const KEY_FILE = /^(\d{4})\.json$/;
/** What we write beside the key: when we made it. A key that somebody put there has none. */
const Made = z.object({ made: z.iso.datetime().optional() });

const SCHEDULE = {
  age: AUTH_LIMITS.signingKeyAgeMs,
  wait: AUTH_LIMITS.signingKeyWaitMs,
  lifetime: TOKEN_LIMITS.lifetimeMaximum * 1000,
} as const;

export interface SigningKeysOptions {
  readonly clock: Clock;
  /** Told what changed, and what is wrong in the folder while the process runs. */
  readonly log?: { info(message: string): void; warn(message: string): void };
  /** Told of each key that appears in the folder or goes from it while the process runs, and of the first one. */
  readonly changed?: (action: 'signing-key.publish' | 'signing-key.retire', kid: string) => Promise<void>;
}

/**
 * The keys that sign tokens, as files (0600) in a folder of their own, numbered, all of them published. They are not in the
 * database, so that who reads the database, or a backup of it, cannot make tokens. Replicas share the folder.
 */
export class SigningKeys {
  readonly #folder: string;
  readonly #options: SigningKeysOptions;
  #keys: readonly SigningKey[] = [];

  private constructor(folder: string, options: SigningKeysOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /**
   * Opens the keys of `folder`; makes the first one when there is none. Two processes that start at once agree on one, and a
   * start that was killed leaves nothing that the next one minds.
   */
  static async open(folder: string, options: SigningKeysOptions): Promise<SigningKeys> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await removeLeftovers(folder);
    const keys = new SigningKeys(folder, options);
    const first = (await keys.#files()).length === 0;
    if (first) await keys.#make(1);
    keys.#keys = await Promise.all((await keys.#files()).map((file) => readKey(join(folder, file))));
    if (first) await keys.#tell([]);
    return keys;
  }

  get published(): readonly SigningJwk[] {
    return this.#keys.map((key) => key.jwk);
  }

  /** Whether what the key `kid` signed is still taken. */
  has(kid: string | undefined): boolean {
    return this.#keys.some((key) => key.jwk.kid === kid);
  }

  /** A compact JWS of `claims`. The type says what it is, so that nothing can be taken for something else. */
  async sign(type: keyof typeof SIGNED_TYPES, claims: Record<string, unknown>): Promise<string> {
    const { jwk, secret } = signerAt(this.#keys, this.#now, SCHEDULE);
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: SIGNED_TYPES[type], kid: jwk.kid })
      .sign(secret);
  }

  /**
   * Takes over what changed in the folder, makes the next key when the newest is old, and removes what no valid token can be
   * signed with. Any number of replicas may do it at the same time.
   */
  async maintain(): Promise<void> {
    await this.#reread();
    const { next, gone } = publishedAfter(this.#keys, this.#now, SCHEDULE);
    if (next !== undefined) {
      await this.#make(next);
      this.#say(`The signing key ${nameOf(next)} was made; it signs in ten minutes`);
    }
    for (const { number } of gone) {
      await rm(join(this.#folder, nameOf(number)), { force: true });
      this.#say(`The signing key ${nameOf(number)} was removed: every token of it has expired`);
    }
    if (next !== undefined || gone.length > 0) await this.#reread();
  }

  async #reread(): Promise<void> {
    const files = await this.#files();
    if (files.length === 0) {
      // Not shared any more, or removed to end every token: the next start decides, and makes a new one.
      this.#options.log?.warn(`There is no signing key in ${this.#folder} any more: start again`);
      return;
    }
    const known = new Map(this.#keys.map((key) => [nameOf(key.number), key]));
    const read = await Promise.all(files.map(async (file) => known.get(file) ?? this.#tryRead(file)));
    const keys = read.filter((key) => key !== undefined);
    // A damaged file alone is no reason to forget the keys that work.
    if (keys.length === 0) return;
    const before = this.#keys;
    this.#keys = keys;
    await this.#tell(before);
  }

  /** Says which keys are new, and which are gone. */
  async #tell(before: readonly SigningKey[]): Promise<void> {
    const kids = (keys: readonly SigningKey[]): Set<string> => new Set(keys.map(({ jwk }) => jwk.kid));
    const [old, now] = [kids(before), kids(this.#keys)];
    for (const kid of now) if (!old.has(kid)) await this.#options.changed?.('signing-key.publish', kid);
    for (const kid of old) if (!now.has(kid)) await this.#options.changed?.('signing-key.retire', kid);
  }

  async #tryRead(file: string): Promise<SigningKey | undefined> {
    try {
      return await readKey(join(this.#folder, file));
    } catch (error) {
      this.#options.log?.warn(`A signing key is not taken: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Makes the key of this number, unless another process was faster: then it is that one. */
  async #make(number: number): Promise<void> {
    const made = new Date(this.#now).toISOString();
    const text = `${JSON.stringify({ ...(await newPrivateJwk()), made })}\n`;
    await writeOnce(join(this.#folder, nameOf(number)), text);
  }

  /** In the order of their numbers. */
  async #files(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((name) => KEY_FILE.test(name)).sort();
  }

  get #now(): number {
    return this.#options.clock.now().getTime();
  }

  #say(message: string): void {
    this.#options.log?.info(message);
  }
}

function nameOf(number: number): string {
  return `${String(number).padStart(4, '0')}.json`;
}

async function readKey(file: string): Promise<SigningKey> {
  const text = await readSmallFile(file);
  if (text === undefined) throw new Error(`The signing key ${file} went away`);
  const jwk = parsePrivateJwk(text, file);
  const { made } = Made.parse(JSON.parse(text));
  return {
    number: Number(KEY_FILE.exec(file.slice(file.lastIndexOf('/') + 1))?.[1]),
    jwk: publicPart(jwk),
    secret: createPrivateKey({ key: { ...jwk }, format: 'jwk' }),
    since: made === undefined ? (await stat(file)).mtimeMs : Date.parse(made),
    byHand: made === undefined,
  };
}
