import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Surroundings } from '#libs/cli';
import type { KeyChange } from '#libs/contract';
import { placeFile } from '#libs/core';
import { cacheFolder, makePrivate } from '../folders.js';

/** What a key server said of some keys, and when. */
export interface Heard {
  /** Milliseconds since 1970. */
  readonly asked: number;
  readonly etag?: string | undefined;
  readonly changes: readonly Pick<KeyChange, 'fingerprint' | 'sequence' | 'state'>[];
  /** It tells nothing of the kind: it is a key server of another make. */
  readonly silent?: boolean;
  /** It did not answer then; what it said before is kept. */
  readonly failed?: boolean;
}

/** What was fetched of a key: when it was that, and our copy still is what it was then, there is nothing to fetch. */
export interface Fetched {
  readonly sequence: number;
  /** SHA-256 of our copy. */
  readonly copy: string;
}

interface Kept {
  readonly heard: Record<string, Heard>;
  readonly fetched: Record<string, Fetched>;
}

/** Answers of more keys than anybody verifies with are not kept for ever. */
const MOST_HEARD = 200;
const VERSION = 1;

/**
 * What key servers said, in the cache folder of the person: one file for each of them. Everything in it can be lost; a file that is
 * none of ours is as good as none, and nothing fails because it cannot be written.
 */
export class KnownChanges {
  readonly #place: Pick<Surroundings, 'env' | 'cwd' | 'log'>;
  readonly #name: string;
  #kept: Promise<Kept> | undefined;

  /** @param server its address, or the name of the remote */
  constructor(place: Pick<Surroundings, 'env' | 'cwd' | 'log'>, server: string) {
    this.#place = place;
    this.#name = `${sha256(server).slice(0, 32)}.json`;
  }

  /** What was said of exactly these keys. */
  async heard(fingerprints: readonly string[]): Promise<Heard | undefined> {
    return (await this.#read()).heard[questionOf(fingerprints)];
  }

  async hear(fingerprints: readonly string[], heard: Heard): Promise<void> {
    const kept = await this.#read();
    const question = questionOf(fingerprints);
    const { [question]: _, ...others } = kept.heard;
    const newest = Object.entries(others)
      .toSorted(([, a], [, b]) => b.asked - a.asked)
      .slice(0, MOST_HEARD - 1);
    await this.#write({ ...kept, heard: Object.fromEntries([...newest, [question, heard]]) });
  }

  async fetched(fingerprint: string): Promise<Fetched | undefined> {
    return (await this.#read()).fetched[fingerprint];
  }

  async fetch(all: ReadonlyMap<string, Fetched>): Promise<void> {
    const kept = await this.#read();
    await this.#write({ ...kept, fetched: { ...kept.fetched, ...Object.fromEntries(all) } });
  }

  #read(): Promise<Kept> {
    return (this.#kept ??= this.#load());
  }

  async #load(): Promise<Kept> {
    try {
      const parsed: unknown = JSON.parse(await readFile(join(this.#folder(), this.#name), 'utf8'));
      if (isKept(parsed)) return parsed;
    } catch {
      // There is none yet, or it is none of ours: everything is asked for.
    }
    return { heard: {}, fetched: {} };
  }

  async #write(kept: Kept): Promise<void> {
    this.#kept = Promise.resolve(kept);
    try {
      await makePrivate(cacheFolder(this.#place), this.#place);
      await makePrivate(this.#folder(), this.#place);
      const text = `${JSON.stringify({ version: VERSION, ...kept })}\n`;
      const path = join(this.#folder(), this.#name);
      await placeFile(path, { overwrite: true, mode: 0o600 }, (file) => file.writeFile(text));
    } catch (error) {
      this.#place.log.debug(`What the key server said is not kept: ${String(error)}`);
    }
  }

  #folder(): string {
    return join(cacheFolder(this.#place), 'keystore');
  }
}

/** SHA-256 of a text or of bytes, hexadecimal. */
export const sha256 = (content: string | Uint8Array): string =>
  createHash('sha256').update(content).digest('hex');

const questionOf = (fingerprints: readonly string[]): string =>
  fingerprints.length === 1 ? (fingerprints[0] ?? '') : sha256(fingerprints.toSorted().join(','));

function isKept(value: unknown): value is Kept & { readonly version: number } {
  if (typeof value !== 'object' || value === null) return false;
  const { version, heard, fetched } = value as Partial<Record<string, unknown>>;
  return version === VERSION && isRecordOf(heard, isHeard) && isRecordOf(fetched, isFetched);
}

function isRecordOf(value: unknown, fits: (member: Partial<Record<string, unknown>>) => boolean): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((one: unknown) => typeof one === 'object' && one !== null && fits(one))
  );
}

const isHeard = ({ asked, etag, changes }: Partial<Record<string, unknown>>): boolean =>
  typeof asked === 'number' &&
  (etag === undefined || typeof etag === 'string') &&
  Array.isArray(changes) &&
  changes.every(
    (one: Partial<KeyChange> | null) =>
      typeof one?.fingerprint === 'string' &&
      typeof one.sequence === 'number' &&
      typeof one.state === 'string',
  );

const isFetched = ({ sequence, copy }: Partial<Record<string, unknown>>): boolean =>
  typeof sequence === 'number' && typeof copy === 'string';
