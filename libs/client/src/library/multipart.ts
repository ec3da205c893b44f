import { MultipartAnswer, PartAnswer, type UploadCompletion } from '#libs/contract';
import { type ByteRange, DomainError, splitIntoRanges } from '#libs/core';
import { parseJson, ResponseError } from '../http/failures.js';
import { persist } from '../transfer/retry.js';
import { type BegunUpload, UploadMemory } from './uploadMemory.js';
import { call, complete, jsonCall, put, type UploadJob } from './uploads.js';

/** An upload in parts that is under way. */
interface Upload extends BegunUpload {
  /** What the server called each part that it has. */
  readonly tokens: Map<number, string>;
  /** Whether some parts are from before. */
  readonly resumed: boolean;
}

/**
 * In parts, each repeated until it arrives (library contract §5 nos. 24–28). An upload that was interrupted goes on where it was:
 * one of our servers says which parts it has, and what another one has said is remembered. What cannot be gone on with
 * is sent anew, once. Undefined when the server knows no multipart upload: "404 → client falls back".
 */
export async function uploadMultipart(
  job: UploadJob,
): Promise<{ completion: UploadCompletion | undefined } | undefined> {
  const { http, path, digest, source } = job;
  const key = { library: http.baseUrl, container: path, digest, size: source.size };
  const memory = await UploadMemory.open(job.memory, key);
  let over = false;
  try {
    for (let anew = false; ; anew = true) {
      const upload = await begin(job, memory, anew);
      over = upload === undefined;
      if (upload === undefined) return undefined;
      try {
        const completion = await sendAll(job, memory, upload);
        over = true;
        return { completion };
      } catch (error) {
        if (!(await isUseless(job, upload, error))) {
          const kept = bytesOf(upload, source.size);
          if (kept > 0) job.onKept?.(kept);
          throw error;
        }
        over = true;
        await source.requireUnchanged();
        if (anew || !mayBeginAnew(upload, error)) throw error;
        job.onAnew?.(error);
      }
    }
  } finally {
    await (over ? memory.end() : memory.keep());
  }
}

/** Goes on with an upload from before, or announces a new one. */
async function begin(job: UploadJob, memory: UploadMemory, anew: boolean): Promise<Upload | undefined> {
  const { http, image, source, retry } = job;
  const known = anew || memory.known?.image !== image ? undefined : memory.known;
  if (known?.listed === false)
    return { ...known, tokens: new Map(known.parts), resumed: known.parts.size > 0 };
  const started = await persist(async () => {
    const request = {
      filesize: source.size,
      resume: !anew,
      // Whoever can name it has begun it: it is taken over though a connection of before may still seem to be alive.
      ...(known === undefined ? {} : { uploadID: known.uploadID }),
    };
    const answer = await http.request({
      ...jsonCall('POST', multipartPath(image), request, retry),
      accept: [200, 201, 404],
    });
    if (answer.status !== 404) return (await answer.json(MultipartAnswer)).data;
    await answer.discard();
    return undefined;
  }, retry);
  if (!started) return undefined;
  const { uploadID, totalParts, partSize, options } = started;
  if (Math.ceil(source.size / partSize) !== totalParts)
    throw new DomainError(
      'unavailable',
      `The server wants ${totalParts} parts of ${partSize} bytes for ${source.size} bytes`,
      { reason: 'bad_answer' },
    );
  const upload: BegunUpload = {
    image,
    uploadID,
    totalParts,
    partSize,
    hashed: (options['s3compliant'] ?? 'true') === 'true',
    listed: options['received'] !== undefined,
  };
  if (known?.uploadID !== uploadID) await memory.begin(upload);
  const tokens = receivedParts(options['received']);
  return { ...upload, tokens, resumed: tokens.size > 0 };
}

async function sendAll(
  job: UploadJob,
  memory: UploadMemory,
  upload: Upload,
): Promise<UploadCompletion | undefined> {
  const { image, source, onSent } = job;
  const { uploadID, tokens } = upload;
  const ranges = splitIntoRanges(source.size, upload.partSize).map((range, index) => ({
    ...range,
    number: index + 1,
  }));
  for (const range of ranges.filter(({ number }) => !tokens.has(number))) {
    const before = bytesOf(upload, source.size);
    const token = await sendPart(job, upload, { ...range, onSent: (count) => onSent(before + count) });
    tokens.set(range.number, token);
    await memory.add(range.number, token);
  }
  const completedParts = ranges.map(({ number }) => ({
    partNumber: number,
    token: tokens.get(number) ?? '',
  }));
  return complete(job, `${multipartPath(image)}_complete`, { uploadID, completedParts });
}

/** Bytes of the parts that the server has. */
function bytesOf({ tokens, partSize }: Upload, size: number): number {
  const ranges = splitIntoRanges(size, partSize);
  return ranges.reduce((sum, range, index) => sum + (tokens.has(index + 1) ? lengthOf(range) : 0), 0);
}

interface Part extends ByteRange {
  readonly number: number;
  readonly onSent: (bytes: number) => void;
}

async function sendPart(job: UploadJob, { image, uploadID, hashed }: Upload, part: Part): Promise<string> {
  const { http, source, retry } = job;
  const length = lengthOf(part);
  const sha256sum = hashed ? await source.partHash(part.start, length, retry.signal) : '';
  return persist(async () => {
    const request = { partSize: length, uploadID, partNumber: part.number, sha256sum };
    const { data } = await http.sendJson('PUT', multipartPath(image), request, PartAnswer, call(retry));
    let sent = 0;
    const body = () => source.stream(part.start, length, (count) => part.onSent((sent += count)));
    const headers = hashed ? { 'x-amz-content-sha256': sha256sum } : {};
    return put(job, { url: data.presignedURL, body, length, headers });
  }, retry);
}

/**
 * Whether nobody can go on with an upload after an error, which is then given up. What failed on the way, and what another token may go
 * on with, stays.
 */
async function isUseless(job: UploadJob, { image, uploadID }: Upload, error: unknown): Promise<boolean> {
  if (!(error instanceof ResponseError) || error.httpStatus >= 500) return false;
  if (error.code === 'unauthorized' || error.code === 'too_many_requests') return false;
  // It has ended, or another process goes on with it.
  if (SHARED.has(error.reason)) return true;
  const abort = jsonCall('PUT', `${multipartPath(image)}_abort`, { uploadID }, {});
  await (await job.http.request(abort).catch(() => undefined))?.discard();
  return true;
}

/** Parts of before may be lost or damaged, and somebody else who pushes the same file may have got hold of the upload. */
function mayBeginAnew({ resumed }: Upload, error: unknown): error is DomainError {
  if (!(error instanceof DomainError)) return false;
  return SHARED.has(error.reason) || (resumed && OF_NO_USE.has(error.code));
}

const SHARED: ReadonlySet<string> = new Set(['part_superseded', 'upload_closed', 'part_replaced']);
const OF_NO_USE: ReadonlySet<string> = new Set([
  'bad_request',
  'conflict',
  'gone',
  'not_found',
  'unprocessable',
]);

function multipartPath(image: string): string {
  return `/v2/imagefile/${image}/_multipart`;
}

function lengthOf({ start, end }: ByteRange): number {
  return end - start + 1;
}

/** Parts that one of our servers has already: `{"1":"token"}`. A server of somebody else with an option of the same name has none. */
function receivedParts(text: string | undefined): Map<number, string> {
  const parts = new Map<number, string>();
  for (const [number, token] of Object.entries(parseJson(text ?? '{}') ?? {}))
    if (typeof token === 'string') parts.set(Number(number), token);
  return parts;
}
