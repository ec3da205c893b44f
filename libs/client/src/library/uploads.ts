import type { Readable } from 'node:stream';
import { CompletionAnswer, UploadAnswer, type UploadCompletion } from '#libs/contract';
import { type Digest, DomainError, hexOf } from '#libs/core';
import type { HttpClient } from '../http.js';
import { parseJson } from '../http/failures.js';
import { TRANSFER } from '../transfer/limits.js';
import { persist, type RetryOptions } from '../transfer/retry.js';
import type { SourceFile } from '../transfer/sourceFile.js';

export interface UploadJob {
  readonly http: HttpClient;
  readonly image: string;
  readonly digest: Digest;
  readonly source: SourceFile;
  /** `entity/collection/container`. */
  readonly path: string;
  /** Folder for what is remembered of an upload in parts; nothing is when absent. */
  readonly memory: string | undefined;
  /** Bytes that the server has, so far. */
  readonly onSent: (bytes: number) => void;
  /** Everything was sent; the server looks at it now. */
  readonly onStoring?: (() => void) | undefined;
  /** Told that what was sent before is of no use. */
  readonly onAnew?: ((error: DomainError) => void) | undefined;
  /** Told, when it fails, how many bytes the server keeps for the next attempt. */
  readonly onKept?: ((bytes: number) => void) | undefined;
  readonly retry: RetryOptions;
}

/** In one request, for servers of the first protocol (library contract §5 no. 20). */
export async function uploadRaw({ http, image, source, onSent, retry }: UploadJob): Promise<undefined> {
  await persist(async () => {
    let sent = 0;
    const answer = await http.request({
      method: 'POST',
      url: `/v1/imagefile/${image}`,
      headers: { 'content-length': String(source.size) },
      body: source.stream(0, source.size, (count) => onSent((sent += count))),
      accept: [200],
      headersTimeout: 0,
      ...signalOf(retry),
    });
    await answer.discard();
  }, retry);
  return undefined;
}

/** In one piece to a signed address (nos. 21–23). */
export async function uploadSingle(job: UploadJob): Promise<UploadCompletion | undefined> {
  const { http, image, digest, source, onSent, retry } = job;
  const announcement = { filesize: source.size, md5sum: '', sha256sum: hexOf(digest) };
  const { data } = await persist(
    () => http.sendJson('POST', `/v2/imagefile/${image}`, announcement, UploadAnswer, call(retry)),
    retry,
  );
  await persist(async () => {
    let sent = 0;
    const body = () => source.stream(0, source.size, (count) => onSent((sent += count)));
    const headers = wantsHash(data.uploadURL) ? { 'x-amz-content-sha256': hexOf(digest) } : {};
    try {
      await put(job, { url: data.uploadURL, body, length: source.size, headers });
    } catch (error) {
      // The bytes had arrived, only the answer was lost.
      if (!(error instanceof DomainError && error.reason === 'already_received')) throw error;
    }
  }, retry);
  return complete(job, `/v2/imagefile/${image}/_complete`, {});
}

/** PUT to a signed address: never with the token, exactly 200 (library contract rules 14 and 15). @returns the ETag */
export async function put(
  { http, retry }: UploadJob,
  target: { url: string; body: () => Readable; length: number; headers: Record<string, string> },
): Promise<string> {
  const answer = await http.request({
    method: 'PUT',
    url: target.url,
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(target.length),
      ...target.headers,
    },
    body: target.body,
    authorize: false,
    accept: [200],
    // The repetition is ours: a stream that was begun is made anew, and the address may be another one.
    repeatable: false,
    headersTimeout: 0,
    ...signalOf(retry),
  });
  await answer.discard();
  return answer.header('etag') ?? '';
}

/** "_complete may return 204 or empty"; hashing a large file may take its time. */
export async function complete(
  { http, retry, source, onSent, onStoring }: UploadJob,
  url: string,
  value: object,
): Promise<UploadCompletion | undefined> {
  onSent(source.size);
  onStoring?.();
  return persist(async () => {
    const answer = await http.request({
      ...jsonCall('PUT', url, value, retry),
      accept: [200, 204],
      headersTimeout: 0,
    });
    const text = await answer.text();
    const parsed = CompletionAnswer.safeParse(parseJson(text));
    return parsed.success ? parsed.data.data : undefined;
  }, retry);
}

export function jsonCall(method: 'PUT' | 'POST', url: string, value: object, retry: RetryOptions) {
  return {
    method,
    url,
    body: JSON.stringify(value),
    headers: { 'content-type': 'application/json' },
    ...call(retry),
  };
}

export function call(retry: RetryOptions) {
  return { repeatable: false, ...signalOf(retry) };
}

function signalOf({ signal }: RetryOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** Only if the address says that the header was signed (library contract §6.1). */
function wantsHash(url: string): boolean {
  return (URL.parse(url)?.searchParams.get('X-Amz-SignedHeaders') ?? '').includes('x-amz-content-sha256');
}

export const isLarge = (size: number): boolean => size > TRANSFER.singleMaximum;
