import type { LibraryContainer, LibraryImage, UploadCompletion } from '#libs/contract';
import { DomainError, type Digest } from '#libs/core';
import { uploadMultipart } from './multipart.js';
import { persist, type RetryOptions } from '../transfer/retry.js';
import { SourceFile } from '../transfer/sourceFile.js';
import { UploadMemory } from './uploadMemory.js';
import { isLarge, uploadRaw, uploadSingle, type UploadJob } from './uploads.js';
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
  /**
   * Makes the folder, of the person's own, where it is remembered how far an upload in parts is, so that the same push goes on after
   * this process was killed. Without it that is left to the server. Asked for large files only.
   */
  readonly memory?: () => Promise<string | undefined>;
  readonly onProgress?: (progress: PushProgress) => void;
  readonly onRetry?: RetryOptions['onRetry'];
  /** Told that what was sent before cannot be used, and why: everything is sent again. */
  readonly onAnew?: (error: DomainError) => void;
  /** Told, when the push fails, how many bytes the server keeps for the next attempt. */
  readonly onKept?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface PushProgress {
  /** `storing`: everything was sent, and the server looks at it. */
  readonly phase: 'hashing' | 'sending' | 'storing';
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
 * the tags in the given order. Once the library has answered, every step is repeated until it works or waiting is of no use.
 */
export async function pushImage(client: LibraryClient, options: PushOptions): Promise<PushResult> {
  const { signal, onRetry, entity, collection, container: name, arch } = options;
  const source = await SourceFile.open(options.file);
  try {
    const total = source.size;
    let done = 0;
    const digest = await source.digest((count) => {
      done += count;
      options.onProgress?.({ phase: 'hashing', done, total });
    }, signal);
    const { archTags } = await client.protocol({ signal });
    const retry = { signal, onRetry };
    const path = `${entity}/${collection}/${name}`;
    const container = await persist(() => client.ensureContainer(options, { signal }), retry);
    const image = await persist(
      async () =>
        (await client.findImage({ path, tag: digest, arch }, { signal })) ??
        client.createImage(
          { hash: digest, container: container.id, description: options.description ?? '' },
          { signal },
        ),
      retry,
    );
    const memory = isLarge(total) ? await options.memory?.() : undefined;
    const outcome = await send(client, image, {
      http: client.http,
      image: image.id,
      path,
      digest,
      source,
      memory,
      onSent: (sent) => options.onProgress?.({ phase: 'sending', done: sent, total }),
      onStoring: () => options.onProgress?.({ phase: 'storing', done: total, total }),
      onAnew: options.onAnew,
      onKept: options.onKept,
      retry,
    });
    for (const tag of options.tags) {
      const change = { tag, image: image.id, ...(archTags ? { arch } : {}) };
      await persist(() => client.setTag(container.id, change, { signal }), retry);
    }
    return { digest, size: total, container, imageId: image.id, ...outcome };
  } finally {
    await source.close();
  }
}

async function send(
  client: LibraryClient,
  image: LibraryImage,
  job: UploadJob,
): Promise<Pick<PushResult, 'uploaded' | 'completion'>> {
  const { path, digest, source } = job;
  if (image.uploaded) {
    // Perhaps an earlier push of it was killed when it was as good as done.
    const key = { library: client.http.baseUrl, container: path, digest, size: source.size };
    await UploadMemory.forget(job.memory, key);
    return { uploaded: false, completion: undefined };
  }
  try {
    return { uploaded: true, completion: await upload(client, job) };
  } catch (error) {
    // Somebody else who pushed the same file was faster: what was wanted is there.
    if (!(error instanceof DomainError) || error.code !== 'conflict') throw error;
    if (!(await isStored(client, job))) throw error;
    return { uploaded: false, completion: undefined };
  }
}

async function isStored(client: LibraryClient, { path, digest, retry }: UploadJob): Promise<boolean> {
  const now = await client.findImage({ path, tag: digest }, { signal: retry.signal }).catch(() => undefined);
  return now?.uploaded === true;
}

async function upload(client: LibraryClient, job: UploadJob): Promise<UploadCompletion | undefined> {
  const { signedUploads } = await client.protocol({ signal: job.retry.signal });
  if (!signedUploads) return uploadRaw(job);
  const inParts = isLarge(job.source.size) ? await uploadMultipart(job) : undefined;
  return inParts ? inParts.completion : uploadSingle(job);
}
