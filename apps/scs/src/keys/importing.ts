import { resolve } from 'node:path';
import { printable, type Surroundings } from '#libs/cli';
import type { KeysClient } from '#libs/client';
import { KEY_IMPORT_LIMITS, type KeyImported } from '#libs/contract';
import { DomainError } from '#libs/core';
import { certificatesFrom } from './certificates-from.js';
import { withKeys } from './client.js';
import { ImportCursor } from './import-cursor.js';
import { type Source, sourcesOf } from './sources.js';

/** Requests that are under way: while some are checked others are sent. */
const LANES = 4;
/** Bytes and certificates of one request. */
const BATCH = { bytes: 512 * 1024, certificates: 200 } as const;
/** Refused keys that are named to people, and to programs. */
const SHOWN = 20;
const LISTED = 1000;

interface Item {
  readonly source: Source;
  /** From 0. */
  readonly index: number;
  readonly bytes: Uint8Array;
}

interface Refused {
  readonly file: string;
  /** Of the certificate in its file, from 1. */
  readonly number: number;
  readonly fingerprint: string;
  readonly message: string;
}

/** @returns the exit status: 1 when keys were refused */
export async function importKeys(
  place: Surroundings,
  names: readonly string[],
  { cursor: file, json }: { cursor: string | undefined; json: boolean },
): Promise<number> {
  const sources = await sourcesOf(place, names);
  const cursor = await ImportCursor.open(file === undefined ? undefined : resolve(place.cwd, file));
  const total = sources.every(({ size }) => size !== undefined)
    ? sources.reduce((sum, { size = 0 }) => sum + size, 0)
    : undefined;
  const bar = place.progress.bytes('Importing', total);
  try {
    const run = await withKeys(place, async (client) => {
      const importer = new Importer(client, cursor);
      let read = 0;
      const watched = (source: Source): AsyncIterable<Uint8Array> =>
        counted(source, (bytes) => bar.update((read += bytes)));
      try {
        for (const source of sources) await importer.take(source, watched(source), place.signal);
        await importer.flush();
      } finally {
        await importer.settle();
        await cursor.save();
      }
      return importer;
    });
    bar.stop();
    return say(place, run, json);
  } finally {
    bar.stop();
  }
}

async function* counted(source: Source, tell: (bytes: number) => void): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of source.open()) {
    tell(chunk.length);
    yield chunk;
  }
}

class Importer {
  readonly counts = { inserted: 0, updated: 0, unchanged: 0, refused: 0 };
  readonly refused: Refused[] = [];
  /** Certificates that an earlier run has done. */
  skipped = 0;
  readonly #client: KeysClient;
  readonly #cursor: ImportCursor;
  #batch: Item[] = [];
  #bytes = 0;
  readonly #underWay = new Set<Promise<void>>();
  #failed: { readonly error: unknown } | undefined;
  /** What is being done, in the order of the sources: the cursor follows the first that is not done yet. */
  readonly #order: { readonly source: Source; readonly upTo: number; done: boolean }[] = [];

  constructor(client: KeysClient, cursor: ImportCursor) {
    this.#client = client;
    this.#cursor = cursor;
  }

  /** Sends the certificates of a source that are not done yet. */
  async take(source: Source, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    const done = this.#cursor.done(source);
    let index = 0;
    try {
      for await (const piece of certificatesFrom(chunks)) {
        signal.throwIfAborted();
        const at = index;
        index += 1;
        if (at < done) {
          this.skipped += 1;
          continue;
        }
        if ('bytes' in piece) await this.#add({ source, index: at, bytes: piece.bytes });
        else this.#refuse(source, at, '', piece.message);
      }
    } catch (error) {
      // The rest of this file cannot be told apart; the others can be read.
      if (!(error instanceof DomainError) || error.code !== 'unprocessable' || this.#failed?.error === error)
        throw error;
      this.#refuse(source, index, '', error.message);
    }
  }

  /** Sends what is left. */
  async flush(): Promise<void> {
    await this.#send();
    await Promise.all(this.#underWay);
    if (this.#failed !== undefined) throw this.#failed.error;
  }

  /** Waits for what is under way, well or not. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  async #add(item: Item): Promise<void> {
    if (item.bytes.length > KEY_IMPORT_LIMITS.bytes) {
      this.#refuse(item.source, item.index, '', 'too large for a key');
      return;
    }
    if (this.#batch.length > 0 && this.#bytes + item.bytes.length > BATCH.bytes) await this.#send();
    this.#batch.push(item);
    this.#bytes += item.bytes.length;
    if (this.#batch.length >= BATCH.certificates) await this.#send();
  }

  async #send(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#bytes = 0;
    if (batch.length === 0) return;
    while (this.#underWay.size >= LANES) await Promise.race(this.#underWay);
    if (this.#failed !== undefined) throw this.#failed.error;
    const sending = this.#import(batch).finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  async #import(batch: readonly Item[]): Promise<void> {
    const entries = lastOfEach(batch).map(({ source, index }) => ({ source, upTo: index + 1, done: false }));
    this.#order.push(...entries);
    try {
      this.#count(batch, await this.#client.import(Buffer.concat(batch.map(({ bytes }) => bytes))));
      for (const entry of entries) entry.done = true;
      await this.#follow();
    } catch (error) {
      this.#failed ??= { error };
    }
  }

  #count(batch: readonly Item[], { inserted, updated, unchanged, refused }: KeyImported): void {
    this.counts.inserted += inserted;
    this.counts.updated += updated;
    this.counts.unchanged += unchanged;
    for (const { index, fingerprint, message } of refused) {
      const item = batch[index];
      if (item !== undefined) this.#refuse(item.source, item.index, fingerprint, message);
    }
  }

  /** The cursor says what is done without a gap. */
  async #follow(): Promise<void> {
    while (this.#order[0]?.done === true) {
      const entry = this.#order.shift();
      if (entry !== undefined) await this.#cursor.reach(entry.source, entry.upTo);
    }
  }

  #refuse({ name }: Source, index: number, fingerprint: string, message: string): void {
    this.counts.refused += 1;
    if (this.refused.length < LISTED)
      this.refused.push({ file: name, number: index + 1, fingerprint: fingerprint.toUpperCase(), message });
  }
}

/** The last certificate of each source in a batch. */
function lastOfEach(batch: readonly Item[]): readonly Item[] {
  return batch.filter(({ source }, at) => batch[at + 1]?.source !== source);
}

function say({ log, out }: Surroundings, { counts, refused, skipped }: Importer, json: boolean): number {
  for (const { file, number, fingerprint, message } of refused.slice(0, SHOWN))
    log.warning(
      `${file}, key ${number}${fingerprint === '' ? '' : ` (${fingerprint})`}: ${printable(message)}`,
    );
  if (counts.refused > SHOWN) log.warning(`and ${counts.refused - SHOWN} more were refused`);
  const { inserted, updated, unchanged } = counts;
  const before = skipped === 0 ? '' : `, ${skipped} done before`;
  log.info(
    `${inserted} keys are new, ${updated} were brought up to date, ${unchanged} were there already, ${counts.refused} were refused${before}`,
  );
  if (json) out.json({ imported: { ...counts, skipped }, refused });
  return counts.refused === 0 ? 0 : 1;
}
