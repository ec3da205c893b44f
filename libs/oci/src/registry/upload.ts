import { type Answer, persist, ResponseError, type RetryOptions, type SourceFile } from '#libs/client';
import { DomainError } from '#libs/core';
import { REGISTRY_LIMITS } from './limits.js';
import { type RegistryClient, signalOf } from './registryClient.js';

export interface BlobUpload {
  readonly source: SourceFile;
  /** `sha256:<hex>` of the file. */
  readonly digest: string;
  readonly onSent?: ((bytes: number) => void) | undefined;
  readonly retry: RetryOptions;
}

/** How often everything is sent again: a registry that is wrong each time is not believed for ever. */
const TIMES_ANEW = 3;

/** An upload that was opened. */
interface Session {
  /** Where the next piece goes. */
  location: string;
  /** Bytes that the registry has acknowledged. */
  received: number;
  /** Whether something was sent that is not acknowledged yet. */
  pending: boolean;
}

/**
 * Sends a file as a blob (OCI distribution specification, "Pushing a blob in chunks"): whole, as everybody does it, and in pieces where
 * a proxy takes no more (413). A connection that breaks costs what the registry does not have: it is asked.
 */
export async function uploadBlob(registry: RegistryClient, upload: BlobUpload): Promise<void> {
  const { source, digest, retry } = upload;
  let piece = Number.POSITIVE_INFINITY;
  let session: Session | undefined;
  let begun = 0;
  await persist(async (progressed) => {
    if (session === undefined) begun += 1;
    session = session === undefined ? await open(registry, retry) : await resume(registry, session, retry);
    const resumed = session.received > 0;
    try {
      while (session.received < source.size) {
        await send(registry, upload, session, Math.min(piece, source.size - session.received));
        progressed();
      }
      await close(registry, session, digest, retry);
    } catch (error) {
      if (!mayBeginAnew(error, { resumed, piece })) throw error;
      if (begun > TIMES_ANEW)
        throw new DomainError('unprocessable', error.message, { reason: 'upload_fails', cause: error });
      // Only the answer was lost: the upload is over, and its blob is there.
      if (resumed && (await registry.hasBlob(digest, retry.signal))) return;
      if (error.code === 'too_large') piece = REGISTRY_LIMITS.piece;
      session = undefined;
      throw new DomainError('unavailable', error.message, { reason: 'sent_anew', cause: error });
    }
  }, retry);
}

/** Whether the next attempt has to begin at the beginning: what the registry has is not what it should have, or too much at once. */
function mayBeginAnew(
  error: unknown,
  { resumed, piece }: { resumed: boolean; piece: number },
): error is DomainError {
  if (!(error instanceof DomainError)) return false;
  if (error.reason === 'other_count') return true;
  if (!(error instanceof ResponseError) || error.httpStatus >= 500) return false;
  return error.code === 'too_large' ? piece > REGISTRY_LIMITS.piece : resumed;
}

async function open(registry: RegistryClient, { signal }: RetryOptions): Promise<Session> {
  const answer = await registry.request({
    method: 'POST',
    url: registry.path('blobs/uploads/'),
    headers: { 'content-length': '0' },
    accept: [202],
    // One that was opened in vain is forgotten by the registry.
    repeatable: true,
    ...signalOf(signal),
  });
  await answer.discard();
  return { location: locationOf(answer), received: 0, pending: false };
}

/** Asks how far an upload is, after a failure; begins anew where the registry has forgotten it. */
async function resume(registry: RegistryClient, session: Session, retry: RetryOptions): Promise<Session> {
  if (!session.pending) return session;
  try {
    const answer = await registry.request({
      url: session.location,
      accept: [204, 200, 202],
      ...signalOf(retry.signal),
    });
    await answer.discard();
    return {
      location: locationOf(answer, session.location),
      received: receivedOf(answer) ?? 0,
      pending: false,
    };
  } catch (error) {
    if (error instanceof ResponseError && error.code !== 'unavailable') return open(registry, retry);
    throw error;
  }
}

async function send(
  registry: RegistryClient,
  { source, onSent, retry }: BlobUpload,
  session: Session,
  length: number,
): Promise<void> {
  const start = session.received;
  const end = start + length - 1;
  session.pending = true;
  const answer = await registry.request({
    method: 'PATCH',
    url: session.location,
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(length),
      // Whole, it is sent as stock programs send it: not every registry knows pieces.
      ...(length === source.size ? {} : { 'content-range': `${start}-${end}` }),
    },
    body: () => {
      let sent = start;
      return source.stream(start, length, (count) => {
        sent += count;
        onSent?.(sent);
      });
    },
    accept: [202, 201, 204],
    repeatable: false,
    headersTimeout: 0,
    ...signalOf(retry.signal),
  });
  await answer.discard();
  await source.requireUnchanged();
  session.location = locationOf(answer, session.location);
  const received = receivedOf(answer);
  if (received !== undefined && received !== end + 1)
    throw new DomainError('unavailable', `The registry says that it has ${received} bytes of ${end + 1}`, {
      reason: 'other_count',
    });
  session.received = end + 1;
  session.pending = false;
}

async function close(
  registry: RegistryClient,
  session: Session,
  digest: string,
  { signal }: RetryOptions,
): Promise<void> {
  const answer = await registry.request({
    method: 'PUT',
    url: withDigest(session.location, digest),
    headers: { 'content-length': '0' },
    accept: [201, 202, 204],
    repeatable: false,
    // Hashing a large file takes its time.
    headersTimeout: 0,
    ...signalOf(signal),
  });
  await answer.discard();
}

/** Sends a few bytes as a blob. */
export async function uploadSmall(
  registry: RegistryClient,
  bytes: Buffer,
  digest: string,
  retry: RetryOptions,
): Promise<void> {
  await persist(async () => {
    const { location } = await open(registry, retry);
    const answer = await registry.request({
      method: 'PUT',
      url: withDigest(location, digest),
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes,
      accept: [201, 202, 204],
      repeatable: false,
      ...signalOf(retry.signal),
    });
    await answer.discard();
  }, retry);
}

/** "Location … may be absolute or relative" and has a query of its own that stays. */
function withDigest(location: string, digest: string): string {
  const url = new URL(location);
  url.searchParams.set('digest', digest);
  return url.href;
}

/** Where an upload goes on, as a whole address. @throws DomainError for one that gives up encryption */
function locationOf(answer: Answer, before?: string): string {
  const header = answer.header('location') ?? before;
  const url = header === undefined ? null : URL.parse(header, answer.url.href);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new DomainError('unavailable', `${answer.url.origin} does not say where an upload goes`, {
      reason: 'bad_answer',
    });
  if (answer.url.protocol === 'https:' && url.protocol === 'http:')
    throw new DomainError(
      'unavailable',
      `${answer.url.origin} wants an upload at ${url.origin}, without encryption`,
      {
        reason: 'insecure_redirect',
        remedy:
          'A proxy in front of the registry has to tell it that it is reached by https (X-Forwarded-Proto)',
      },
    );
  return url.href;
}

/** Bytes that the registry says it has: `Range: 0-<last byte>`. `0-0` is what some say when there are none. */
function receivedOf(answer: Answer): number | undefined {
  const [, last] = /^(?:bytes=)?0-(\d{1,15})$/.exec(answer.header('range') ?? '') ?? [];
  if (last === undefined) return undefined;
  return last === '0' ? 0 : Number(last) + 1;
}
