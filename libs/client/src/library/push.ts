import type { LibraryContainer, LibraryImage, UploadCompletion } from '#libs/contract';
import { DomainError, type Digest } from '#libs/core';
import type { RetryOptions } from './retry.js';
import { SourceFile } from './sourceFile.js';
import { isLarge, uploadMultipart, uploadRaw, uploadSingle, type UploadJob } from './uploads.js';
import type { LibraryClient } from './libraryClient.js';

export interface PushOptions {
  readonly file: string;
  readonly entity: string;
  readonly collection: string;
  readonly container: string;
  readonly tags: readonly string[];
  /** Go's name of the architecture in the file. */
  readonly arch: string;
  readonly description?: string;
  readonly onProgress?: (progress: PushProgress) => void;
  readonly onRetry?: RetryOptions['onRetry'];
  readonly signal?: AbortSignal;
}

export interface PushProgress {
  readonly phase: 'hashing' | 'sending';
  readonly done: number;
  readonly total: number;
}

export interface PushResult {
  readonly digest: Digest;
  readonly size: number;
  readonly container: LibraryContainer;
  readonly imageId: string;
  /** False when the library had the file already. */
  readonly uploaded: boolean;
  /** What the library says about quota and where people see the container; undefined when nothing was sent. */
  readonly completion: UploadCompletion | undefined;
}

/**
 * Pushes a file in the steps of library contract §6.1: make what is missing on the way, send the file unless it is there, set
 * the tags in the given order.
 */
export async function pushImage(client: LibraryClient, options: PushOptions): Promise<PushResult> {
  const { signal, onRetry } = options;
  const source = await SourceFile.open(options.file);
  try {
    const total = source.size;
    let done = 0;
    const digest = await source.digest((count) => {
      done += count;
      options.onProgress?.({ phase: 'hashing', done, total });
    }, signal);
    const container = await client.ensureContainer(options, { signal });
    const path = `${options.entity}/${options.collection}/${options.container}`;
    const found = await client.findImage({ path, tag: digest, arch: options.arch }, { signal });
    const image =
      found ??
      (await client.createImage(
        { hash: digest, container: container.id, description: options.description ?? '' },
        { signal },
      ));
    const onSent = (sent: number) => options.onProgress?.({ phase: 'sending', done: sent, total });
    const job = { http: client.http, image: image.id, digest, source, onSent, retry: { signal, onRetry } };
    const outcome = await send(client, image, job, path);
    const { archTags } = await client.protocol({ signal });
    for (const tag of options.tags)
      await client.setTag(
        container.id,
        { tag, image: image.id, ...(archTags ? { arch: options.arch } : {}) },
        { signal },
      );
    return { digest, size: total, container, imageId: image.id, ...outcome };
  } finally {
    await source.close();
  }
}

async function send(
  client: LibraryClient,
  image: LibraryImage,
  job: UploadJob,
  path: string,
): Promise<Pick<PushResult, 'uploaded' | 'completion'>> {
  if (image.uploaded) return { uploaded: false, completion: undefined };
  try {
    return { uploaded: true, completion: await upload(client, job) };
  } catch (error) {
    // Somebody else who pushed the same file was faster: what was wanted is there.
    if (!(error instanceof DomainError) || error.code !== 'conflict') throw error;
    const now = await client
      .findImage({ path, tag: job.digest }, { signal: job.retry.signal })
      .catch(() => undefined);
    if (now?.uploaded !== true) throw error;
    return { uploaded: false, completion: undefined };
  }
}

async function upload(client: LibraryClient, job: UploadJob): Promise<UploadCompletion | undefined> {
  const { signedUploads } = await client.protocol({ signal: job.retry.signal });
  if (!signedUploads) return uploadRaw(job);
  const inParts = isLarge(job.source.size) ? await uploadMultipart(job) : undefined;
  return inParts ? inParts.completion : uploadSingle(job);
}
