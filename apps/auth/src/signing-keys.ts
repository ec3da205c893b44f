import { createPrivateKey } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { calculateJwkThumbprint, SignJWT } from 'jose';
import { z } from 'zod';
import type { Caller } from '#libs/audit';
import { type RetiredKeys, SIGNED_TYPES, type SigningJwk, TOKEN_LIMITS } from '#libs/contract';
import { type Clock, DomainError, messageOf, Turns } from '#libs/core';
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

/** One change of the folder at a time. */
const CHANGES = 'changes';

export interface SigningKeysOptions {
  readonly clock: Clock;
  /** Told what changed, and what is wrong in the folder while the process runs. */
  readonly log?: { info(message: string): void; warn(message: string): void };
  /** Told of each key that appears in the folder or goes from it while the process runs, and of the first one. */
  readonly changed?: (change: SigningKeyChange) => Promise<void>;
}

export interface SigningKeyChange {
  readonly action: 'signing-key.publish' | 'signing-key.retire';
  readonly kid: string;
  /** Whose doing it is; null for what happened in the folder, or by its age. */
  readonly by: Caller | null;
}

/**
 * The keys that sign tokens, as files (0600) in a folder of their own, numbered, all of them published. They are not in the
 * database, so that who reads the database, or a backup of it, cannot make tokens. Replicas share the folder.
 */
export class SigningKeys {
  readonly #folder: string;
  readonly #options: SigningKeysOptions;
  /** Changes of this process, one after the other. */
  readonly #turns = new Turns();
  #keys: readonly SigningKey[] = [];
  /** What was wrong in the folder at the last look. */
  #faults: readonly string[] = [];

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
    if (first) await keys.#tell([], null);
    return keys;
  }

  get published(): readonly SigningJwk[] {
    return this.#keys.map((key) => key.jwk);
  }

  /** Whether what the key `kid` signed is still taken. */
  has(kid: string | undefined): boolean {
    return this.#keys.some((key) => key.jwk.kid === kid);
  }

  /**
   * A compact JWS of `claims`. The type says what it is, so that nothing can be taken for something else. Feeds are signed with the oldest key,
   * which every service knows: in them it hands over to the newer ones.
   */
  async sign(type: keyof typeof SIGNED_TYPES, claims: Record<string, unknown>): Promise<string> {
    const signer = signerAt(this.#keys, this.#now, SCHEDULE);
    const { jwk, secret } = type === 'revocations' ? (this.#keys[0] ?? signer) : signer;
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: SIGNED_TYPES[type], kid: jwk.kid })
      .sign(secret);
  }

  /**
   * Takes over what changed in the folder, makes the next key when the newest is old, and removes what no valid token can be
   * signed with. Any number of replicas may do it at the same time.
   */
  maintain(): Promise<void> {
    return this.#turns.take(CHANGES, () => this.#maintain());
  }

  /**
   * Ends everything that was signed so far: a new key is made, told to all services, and then the others are removed.
   * @param told resolves when every service and every replica can have seen the new key
   * @returns the ids of the key that signs now, and of those that were removed
   */
  retireAll(by: Caller | null, told: () => Promise<void>): Promise<RetiredKeys> {
    return this.#turns.take(CHANGES, async () => {
      await this.#rereadInEmergency(by);
      const old = this.#keys;
      const [last = ''] = (await this.#files()).slice(-1);
      await this.#make(1 + Number(KEY_FILE.exec(last)?.[1] ?? 0));
      await this.#rereadInEmergency(by);
      const signs = this.#keys.at(-1);
      if (signs === undefined || old.some(({ number }) => number === signs.number)) throw this.#notRetired();
      await told();
      for (const { number } of old) await rm(join(this.#folder, nameOf(number)), { force: true });
      await this.#rereadInEmergency(by);
      if (old.some(({ jwk }) => this.has(jwk.kid))) throw this.#notRetired();
      return { signs: signs.jwk.kid, retired: old.map(({ jwk }) => jwk.kid) };
    });
  }

  /** A trail that cannot be written keeps no leaked key in force. */
  async #rereadInEmergency(by: Caller | null): Promise<void> {
    await this.#reread(by).catch((error: unknown) =>
      this.#options.log?.warn(`A change of signing keys was not recorded: ${messageOf(error)}`),
    );
  }

  #notRetired(): DomainError {
    return new DomainError('unavailable', `The signing keys in ${this.#folder} could not be replaced`, {
      reason: 'keys_not_retired',
      remedy: 'Look at the folder and at the log, and try again',
    });
  }

  async #maintain(): Promise<void> {
    await this.#reread(null);
    const { next, gone } = publishedAfter(this.#keys, this.#now, SCHEDULE);
    if (next !== undefined) {
      await this.#make(next);
      this.#say(`The signing key ${nameOf(next)} was made; it signs in ten minutes`);
    }
    for (const { number } of gone) {
      await rm(join(this.#folder, nameOf(number)), { force: true });
      this.#say(`The signing key ${nameOf(number)} was removed: every token of it has expired`);
    }
    if (next !== undefined || gone.length > 0) await this.#reread(null);
  }

  async #reread(by: Caller | null): Promise<void> {
    const files = await this.#files();
    const faults: string[] = [];
    // Not shared any more, or removed to end every token: the next start decides, and makes a new one.
    if (files.length === 0) faults.push(`There is no signing key in ${this.#folder} any more: start again`);
    const known = new Map(this.#keys.map((key) => [nameOf(key.number), key]));
    const read = await Promise.all(files.map(async (file) => known.get(file) ?? this.#tryRead(file, faults)));
    // Once each: the folder is looked at all the time.
    for (const fault of faults) if (!this.#faults.includes(fault)) this.#options.log?.warn(fault);
    this.#faults = faults;
    const keys = read.filter((key) => key !== undefined);
    // A damaged file alone is no reason to forget the keys that work.
    if (keys.length === 0) return;
    const before = this.#keys;
    this.#keys = keys;
    await this.#tell(before, by);
  }

  /** Says which keys are new, and which are gone. */
  async #tell(before: readonly SigningKey[], by: Caller | null): Promise<void> {
    const { changed } = this.#options;
    const kids = (keys: readonly SigningKey[]): Set<string> => new Set(keys.map(({ jwk }) => jwk.kid));
    const [old, now] = [kids(before), kids(this.#keys)];
    for (const kid of now) if (!old.has(kid)) await changed?.({ action: 'signing-key.publish', kid, by });
    for (const kid of old) if (!now.has(kid)) await changed?.({ action: 'signing-key.retire', kid, by });
  }

  async #tryRead(file: string, faults: string[]): Promise<SigningKey | undefined> {
    try {
      return await readKey(join(this.#folder, file));
    } catch (error) {
      faults.push(`A signing key is not taken: ${messageOf(error)}`);
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
  const thumbprint = await calculateJwkThumbprint(publicPart(jwk));
  // Services take a key under no other id.
  if (jwk.kid !== thumbprint)
    throw new DomainError(
      'unprocessable',
      `Expected the thumbprint ${thumbprint} (RFC 7638) for kid in ${file}, got ${jwk.kid}`,
      { reason: 'bad_key_file', remedy: 'Correct kid' },
    );
  const { made } = Made.parse(JSON.parse(text));
  return {
    number: Number(KEY_FILE.exec(file.slice(file.lastIndexOf('/') + 1))?.[1]),
    jwk: publicPart(jwk),
    secret: createPrivateKey({ key: { ...jwk }, format: 'jwk' }),
    since: made === undefined ? (await stat(file)).mtimeMs : Date.parse(made),
    byHand: made === undefined,
  };
}
