import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { failureOf, isAbsent } from './failures.js';
import { S3_LIMITS } from './limits.js';
import type { S3Space } from './space.js';
import type { S3Object } from './stream.js';

const CONTENT_TYPE = 'application/octet-stream';
const MIB = 1024 * 1024;
const GONE = 'NoSuchUpload';

/** Uploads of several parts that this process has begun: a tidying one must not take them for those of killed processes. */
export type BegunUploads = Set<string>;

/** An upload of several parts to one key. The object appears, whole, with `complete`. */
export class Multipart {
  readonly id: string;
  readonly key: string;
  readonly #space: S3Space;
  readonly #begun: BegunUploads;
  readonly #parts = new Map<number, string>();

  private constructor(space: S3Space, begun: BegunUploads, key: string, id: string) {
    this.#space = space;
    this.#begun = begun;
    this.key = key;
    this.id = id;
    begun.add(id);
  }

  static async begin(space: S3Space, begun: BegunUploads, key: string): Promise<Multipart> {
    const { UploadId } = await space.send(
      new CreateMultipartUploadCommand({ ...space.at(key), ContentType: CONTENT_TYPE }),
    );
    if (UploadId === undefined) throw new Error('The object store names no upload');
    return new Multipart(space, begun, key, UploadId);
  }

  /** Notes down a part that is there. */
  has(number: number, etag: string | undefined): void {
    if (etag === undefined) throw new Error(`The object store names no part ${number}`);
    this.#parts.set(number, etag);
  }

  /** Sends a part. The bytes may be used again when it resolves. */
  async send(number: number, bytes: Buffer): Promise<void> {
    const { ETag } = await this.#space.send(
      new UploadPartCommand({
        ...this.#space.at(this.key),
        UploadId: this.id,
        PartNumber: number,
        Body: bytes,
        ContentLength: bytes.length,
      }),
      { bytes: bytes.length },
    );
    this.has(number, ETag);
  }

  /** Makes the object of `size` bytes. */
  async complete(size: number): Promise<S3Object> {
    const parts = [...this.#parts].sort(([a], [b]) => a - b);
    const named = parts.map(([PartNumber, ETag]) => ({ PartNumber, ETag }));
    const etag = await this.#space
      .send(
        new CompleteMultipartUploadCommand({
          ...this.#space.at(this.key),
          UploadId: this.id,
          MultipartUpload: { Parts: named },
        }),
        { isLong: true },
      )
      .then(
        (answer) => answer.ETag ?? '',
        // The first answer may have been lost: then the second one says that there is no such upload.
        async (error: unknown) =>
          this.#whenDone(
            parts.map(([, part]) => part),
            size,
            error,
          ),
      );
    this.#begun.delete(this.id);
    return { key: this.key, size, etag };
  }

  /** Silently when it is not there any more. */
  async abort(): Promise<void> {
    try {
      await abortMultipart(this.#space, this.#space.at(this.key), this.id);
    } finally {
      this.#begun.delete(this.id);
    }
  }

  async #whenDone(etags: readonly string[], size: number, error: unknown): Promise<string> {
    const there = await headOf(this.#space, this.key).catch(() => undefined);
    if (there?.size === size && there.etag === joinedEtag(etags)) return there.etag;
    throw error;
  }
}

/** Writes an object whose length is known as an upper bound, from its beginning to its end. It appears with `keep`, whole. */
export class S3Writer {
  readonly #space: S3Space;
  readonly #begun: BegunUploads;
  readonly #key: string;
  readonly #segment: number;
  #multipart: Multipart | undefined;
  #buffer: Buffer | undefined;
  #filled = 0;
  #size = 0;
  #number = 0;
  #sending: Promise<void> = Promise.resolve();
  #over = false;

  constructor(space: S3Space, begun: BegunUploads, key: string, length: number) {
    this.#space = space;
    this.#begun = begun;
    this.#key = key;
    const least = Math.ceil(length / S3_LIMITS.parts / MIB) * MIB;
    this.#segment = Math.min(Math.max(S3_LIMITS.segment, least), Math.max(length, 1));
  }

  /** Appends. While a segment is on its way the next one is filled. */
  async write(chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks)
      for (let at = 0; at < chunk.length;) {
        if (this.#filled === this.#segment) await this.#ship();
        this.#buffer ??= buffers.take(this.#segment);
        const count = chunk.copy(this.#buffer, this.#filled, at);
        this.#filled += count;
        this.#size += count;
        at += count;
      }
  }

  /** Makes the object. After a failure it is to be dropped. */
  async keep(): Promise<S3Object> {
    if (this.#multipart === undefined) {
      const body = this.#buffer?.subarray(0, this.#filled) ?? Buffer.alloc(0);
      const { ETag = '' } = await this.#space.send(
        new PutObjectCommand({
          ...this.#space.at(this.#key),
          Body: body,
          ContentLength: body.length,
          ContentType: CONTENT_TYPE,
        }),
        { bytes: body.length },
      );
      this.#end();
      return { key: this.#key, size: this.#size, etag: ETag };
    }
    if (this.#filled > 0) await this.#ship();
    await this.#sending;
    const made = await this.#multipart.complete(this.#size);
    this.#end();
    return made;
  }

  /** Nothing of it is there, unless it was kept. */
  async drop(): Promise<void> {
    if (this.#over) return;
    await this.#sending.catch(() => undefined);
    this.#end();
    await this.#multipart?.abort();
  }

  async #ship(): Promise<void> {
    this.#multipart ??= await Multipart.begin(this.#space, this.#begun, this.#key);
    await this.#sending;
    const full = this.#buffer;
    if (full === undefined) return;
    const bytes = full.subarray(0, this.#filled);
    this.#buffer = undefined;
    this.#filled = 0;
    this.#number += 1;
    this.#sending = this.#multipart.send(this.#number, bytes).finally(() => buffers.give(full));
    // Whoever writes or keeps next is told.
    this.#sending.catch(() => undefined);
  }

  #end(): void {
    this.#over = true;
    if (this.#buffer !== undefined) buffers.give(this.#buffer);
    this.#buffer = undefined;
  }
}

/** Large buffers are used again: new ones are outside of the heap of V8, which takes its time to notice that they are free. */
class SegmentBuffers {
  readonly #free: Buffer[] = [];

  take(length: number): Buffer {
    const found = length === S3_LIMITS.segment ? this.#free.pop() : undefined;
    return found ?? Buffer.allocUnsafeSlow(length);
  }

  give(buffer: Buffer): void {
    if (buffer.length === S3_LIMITS.segment && this.#free.length < S3_LIMITS.pooledBuffers)
      this.#free.push(buffer);
  }
}
const buffers = new SegmentBuffers();

/**
 * The object of a key; undefined when there is none. An answer without a body does not say what it is that is absent, the object,
 * the bucket or the account of the service: only a list without it says that.
 */
export async function headOf(space: S3Space, key: string): Promise<S3Object | undefined> {
  try {
    const { ContentLength, ETag } = await space.send(new HeadObjectCommand(space.at(key)));
    return { key, size: ContentLength ?? 0, etag: ETag ?? '' };
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  for await (const found of space.list(key, { page: 1 })) if (found.key === key) return found;
  return undefined;
}

/** Gives an upload of several parts up. Silently when it is not there any more. */
export async function abortMultipart(
  space: S3Space,
  at: { readonly Bucket: string; readonly Key: string },
  id: string,
): Promise<void> {
  try {
    await space.send(new AbortMultipartUploadCommand({ ...at, UploadId: id }), { known: [GONE] });
  } catch (error) {
    if (!isAbsent(error) && failureOf(error).code !== GONE) throw error;
  }
}

/** The ETag of an object that was made of parts with these ETags, where both are what S3 made them first: from MD5. */
function joinedEtag(etags: readonly string[]): string {
  const hash = createHash('md5');
  for (const etag of etags) hash.update(Buffer.from(etag.replaceAll('"', ''), 'hex'));
  return `"${hash.digest('hex')}-${etags.length}"`;
}
