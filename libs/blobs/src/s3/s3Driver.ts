import {
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  type MultipartUpload,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { Digest, S3Place } from '#libs/core';
import { readFile } from 'node:fs/promises';
import type { BlobDriver, BlobListing, BlobReader, TemporaryBlob, TemporaryListing } from '../driver.js';
import {
  blobKey,
  type BlobKey,
  COMMITTED,
  INCOMING,
  readBlobKey,
  readTemporaryKey,
  type TemporaryKey,
} from '../layout.js';
import { failureOf } from './failures.js';
import { S3_LIMITS } from './limits.js';
import { areWhole, sizeOfPieces, storedKey } from './pieces.js';
import { joinPieces } from './publish.js';
import type { S3Settings } from './settings.js';
import { type SendOptions, S3Space } from './space.js';
import { type S3Object, S3Stream } from './stream.js';
import { S3Temporary } from './temporary.js';
import { abortMultipart, type BegunUploads, headOf } from './writer.js';

const UNKNOWN = 'NotImplemented';

/**
 * Keeps blobs as objects of one bucket. Uncommitted bytes are objects for each piece, `incoming/<upload>/<beginning>`; a blob is
 * made of them by the store itself and appears whole (ADR 23).
 */
export class S3BlobDriver implements BlobDriver {
  readonly name = 's3';
  readonly #space: S3Space;
  readonly #begun: BegunUploads = new Set();
  /** What this process knows of uploads, until they are blobs or given up. */
  readonly #temporaries = new Map<TemporaryKey, S3Temporary>();

  private constructor(space: S3Space) {
    this.#space = space;
  }

  /**
   * Lists, writes and removes something, so that what is wrong is said at the start.
   * @throws DomainError `unavailable` with a sentence about endpoint, bucket or credentials
   */
  static async open(place: S3Place, settings: S3Settings): Promise<S3BlobDriver> {
    const { caFile } = settings;
    const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8');
    const space = new S3Space(place, settings, ca);
    const driver = new S3BlobDriver(space);
    await driver.#ask();
    const probe = `${INCOMING}/probe`;
    await driver.#put(probe);
    await driver.#remove(probe);
    return driver;
  }

  async sizeOf(key: BlobKey): Promise<number | undefined> {
    return (await headOf(this.#space, key))?.size;
  }

  async open(key: BlobKey): Promise<BlobReader | undefined> {
    const object = await headOf(this.#space, key);
    return object && new S3Reader(new S3Stream(this.#space, object));
  }

  async remove(key: BlobKey): Promise<boolean> {
    if ((await headOf(this.#space, key)) === undefined) return false;
    await this.#remove(key);
    return true;
  }

  async openTemporary(key: TemporaryKey, options: { create: boolean }): Promise<TemporaryBlob | undefined> {
    const temporary = this.#temporaries.get(key) ?? new S3Temporary(this.#space, this.#begun, key);
    if (!options.create && (await temporary.look()).length === 0) return undefined;
    this.#temporaries.set(key, temporary);
    return temporary;
  }

  async publish(
    from: TemporaryKey,
    to: BlobKey,
    { replace }: { readonly replace: boolean } = { replace: false },
  ): Promise<void> {
    const temporary = this.#temporaries.get(from) ?? new S3Temporary(this.#space, this.#begun, from);
    await temporary.look();
    const pieces = await temporary.pieces();
    if (!areWhole(pieces))
      throw new Error(`Expected the bytes ${from} without gaps, got ${pieces.length} pieces`);
    const there = await this.sizeOf(to);
    if (replace || there !== sizeOfPieces(pieces)) await joinPieces(this.#space, this.#begun, pieces, to);
    this.#temporaries.delete(from);
    // There is a blob now, and that is what was asked for: what cannot be removed is left to the sweep.
    await this.#waste(from, pieces.length).catch(() => undefined);
  }

  async discard(key: TemporaryKey): Promise<void> {
    await this.#forget(key);
    this.#temporaries.delete(key);
  }

  async listTemporaries(): Promise<readonly TemporaryListing[]> {
    const found = new Map<TemporaryKey, Date>();
    for await (const { key, modifiedAt } of this.#space.list(`${INCOMING}/`)) {
      const known = readTemporaryKey(key.slice(0, key.lastIndexOf('/')));
      if (!known) continue;
      const before = found.get(known.key);
      if (before === undefined || before < modifiedAt) found.set(known.key, modifiedAt);
    }
    return [...found].map(([key, modifiedAt]) => ({ key, modifiedAt }));
  }

  async list(after: Digest | undefined, limit: number): Promise<readonly BlobListing[]> {
    const listings: BlobListing[] = [];
    const objects = this.#space.list(`${COMMITTED}/`, {
      page: limit,
      ...(after === undefined ? {} : { after: blobKey(after) }),
    });
    for await (const { key, size, modifiedAt: storedAt } of objects) {
      const digest = readBlobKey(key);
      if (!digest) continue;
      listings.push({ digest, size, storedAt });
      if (listings.length === limit) break;
    }
    return listings;
  }

  async freeBytes(): Promise<number | undefined> {
    return undefined;
  }

  /** Gives uploads of several parts up that no process goes on with: those of pieces, and those of blobs that were being made. */
  async tidy(before: Date): Promise<void> {
    for await (const { Key, UploadId, Initiated } of this.#unfinished()) {
      const key = this.#space.ownKey(Key);
      if (key === undefined || UploadId === undefined || this.#begun.has(UploadId)) continue;
      if (!key.startsWith(`${INCOMING}/`) && readBlobKey(key) === undefined) continue;
      if (Initiated === undefined || Initiated <= before)
        await abortMultipart(this.#space, this.#space.at(key), UploadId);
    }
  }

  async ping(): Promise<void> {
    await this.#ask({ attempts: 1 });
  }

  addressOf(key: BlobKey, seconds: number): Promise<string | undefined> {
    return this.#space.addressOf(key, seconds);
  }

  async #ask(options: SendOptions = {}): Promise<void> {
    const { Bucket, Key } = this.#space.at(`${COMMITTED}/`);
    const command = new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 });
    await this.#space.send(command, options);
  }

  /**
   * Uploads of several parts in all of the bucket: MinIO lists those of one whole key, or all, and nothing for the beginning of a
   * key. Nothing, where a store does not list them.
   */
  async *#unfinished(): AsyncGenerator<MultipartUpload> {
    let next: Pick<ListMultipartUploadsCommandOutput, 'NextKeyMarker' | 'NextUploadIdMarker'> | undefined =
      {};
    while (next !== undefined) {
      const page: ListMultipartUploadsCommandOutput | undefined = await this.#space
        .send(
          new ListMultipartUploadsCommand({
            Bucket: this.#space.bucket,
            KeyMarker: next.NextKeyMarker,
            UploadIdMarker: next.NextUploadIdMarker,
          }),
          { known: [UNKNOWN] },
        )
        .catch((error: unknown) => {
          if (failureOf(error).code === UNKNOWN) return undefined;
          throw error;
        });
      yield* page?.Uploads ?? [];
      next = page?.IsTruncated === true && page.NextKeyMarker !== undefined ? page : undefined;
    }
  }

  /** Removes pieces of which a blob was made. Several are marked first: an upload that has lost some of them would be a wrong one. */
  async #waste(key: TemporaryKey, pieces: number): Promise<void> {
    if (pieces > 1) await this.#put(storedKey(key));
    await this.#forget(key);
  }

  async #put(key: string): Promise<void> {
    await this.#space.send(
      new PutObjectCommand({ ...this.#space.at(key), Body: Buffer.alloc(0), ContentLength: 0 }),
    );
  }

  /** Removes the pieces, and the mark behind them: as long as there are some, it is there. */
  async #forget(key: TemporaryKey): Promise<void> {
    const marker = storedKey(key);
    const waiting: string[] = [];
    let marked = false;
    for await (const object of this.#space.list(`${key}/`))
      if (object.key === marker) marked = true;
      else waiting.push(object.key);
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await this.#remove(next);
    };
    await Promise.all(Array.from({ length: S3_LIMITS.removalsAtOnce }, worker));
    if (marked) await this.#remove(marker);
  }

  async #remove(key: string): Promise<void> {
    await this.#space.send(new DeleteObjectCommand(this.#space.at(key)));
  }
}

class S3Reader implements BlobReader {
  readonly size: number;
  readonly #stream: S3Stream;

  constructor(stream: S3Stream) {
    this.#stream = stream;
    this.size = (stream.object satisfies S3Object).size;
  }

  expect(_start: number, end: number): void {
    this.#stream.expect(end);
  }

  read(target: Buffer, position: number): Promise<number> {
    return this.#stream.read(target, position);
  }

  async close(): Promise<void> {
    this.#stream.close();
  }
}
