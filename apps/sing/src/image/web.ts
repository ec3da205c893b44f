import type { Surroundings } from '#libs/cli';
import type { Answer, HttpClient } from '#libs/client';
import { DomainError, messageOf, parseContentRange } from '#libs/core';
import { findWebEntry, rememberWebEntry, webEntryName, type WebEntry } from '../cache/web-entry.js';
import { cachePath } from '../cache/store.js';
import { Session } from '../session.js';
import type { Fetched } from './found-image.js';
import { copied, sayingHowToMakeRoom } from './from-cache.js';
import { receiving, type Target } from './transfers.js';

/** Bytes beyond the end of its data that an image may have: what was deleted, and paddings that old programs did not count. */
const SLACK = 64 * 1024 * 1024;

/** What the server has at the address. */
interface Offer {
  /** Bytes. */
  readonly size: number;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** What names exactly these bytes; undefined when nothing does. */
  readonly version: string | undefined;
}

/**
 * Fetches an image from an address into the cache, unless the server says that what is there is what it has (`If-None-Match`,
 * `If-Modified-Since`). A server that says nothing about versions is fetched from each time.
 */
export async function webToCache(
  place: Surroundings,
  reference: string,
): Promise<Fetched & { readonly path: string }> {
  return withAddress(place, reference, async (http, url) => {
    const known = await findWebEntry(place, url);
    const offer = await ask(http, url, known, place.signal);
    if (offer === undefined && known !== undefined) {
      const { path, digest, size } = known;
      return { path, digest, size, arch: undefined, cached: true };
    }
    const fresh = offer ?? (await askAnew(http, url, place.signal));
    const path = await cachePath(place, webEntryName(url), 'net');
    const digest = await sayingHowToMakeRoom(() =>
      download(place, http, url, fresh, { path, overwrite: true }),
    );
    const { size, etag, lastModified } = fresh;
    await rememberWebEntry(place, url, { digest, size, etag, lastModified });
    return { path, digest, size, arch: undefined, cached: false };
  });
}

/** The same to a file that appears whole or not at all. */
export async function webToFile(
  place: Surroundings,
  reference: string,
  useCache: boolean,
  target: Target,
): Promise<Fetched> {
  if (useCache) {
    const stored = await webToCache(place, reference);
    if (await copied(stored.path, stored, target)) return stored;
    // Somebody has cleaned the cache at this very moment.
  }
  return withAddress(place, reference, async (http, url) => {
    const offer = await askAnew(http, url, place.signal);
    const digest = await download(place, http, url, offer, target);
    return { digest, size: offer.size, arch: undefined, cached: false };
  });
}

async function withAddress<T>(
  place: Surroundings,
  reference: string,
  work: (http: HttpClient, url: string) => Promise<T>,
): Promise<T> {
  const url = addressOf(reference);
  if (url.protocol === 'http:')
    place.log.warning(`${url.origin} sends without encryption: everybody on the way can change the image`);
  const session = Session.withoutRemote(place, url.origin);
  try {
    return await work(await session.at(url.origin, { authorize: false }), url.href);
  } finally {
    await session.close();
  }
}

/** @throws DomainError for what is no address, and for one with a password: it would end up in logs and in the history of shells */
function addressOf(reference: string): URL {
  const url = URL.parse(reference);
  if (url === null)
    throw new DomainError('bad_request', `This is no address: ${reference}`, { reason: 'invalid_reference' });
  if (url.username !== '' || url.password !== '')
    throw new DomainError(
      'bad_request',
      `The address at ${url.host} has a password in it, which is not sent`,
      {
        reason: 'invalid_reference',
        remedy:
          'Put the image into a library or registry, where passwords are kept: sing help registry login',
      },
    );
  url.hash = '';
  return url;
}

async function askAnew(http: HttpClient, url: string, signal: AbortSignal): Promise<Offer> {
  const offer = await ask(http, url, undefined, signal);
  if (offer !== undefined) return offer;
  throw new DomainError(
    'unavailable',
    `${new URL(url).origin} says that nothing has changed, and was not asked that`,
    {
      reason: 'bad_answer',
    },
  );
}

/**
 * Asks for the beginning of the file: whether it is an image is known before any of it is stored.
 * @returns undefined when the server still has what is known
 */
async function ask(
  http: HttpClient,
  url: string,
  known: WebEntry | undefined,
  signal: AbortSignal,
): Promise<Offer | undefined> {
  const { HEADER_SIZE } = await import('#libs/sif');
  const answer = await http.request({
    url,
    headers: {
      range: `bytes=0-${HEADER_SIZE - 1}`,
      'accept-encoding': 'identity',
      ...(known?.etag === undefined ? {} : { 'if-none-match': known.etag }),
      ...(known?.lastModified === undefined ? {} : { 'if-modified-since': known.lastModified }),
    },
    accept: [200, 206, 304, 401, 403, 404, 410, 416],
    signal,
  });
  if (answer.status === 304) {
    await answer.discard();
    return undefined;
  }
  if (answer.status === 200 || answer.status === 206)
    return offerOf(answer, await beginning(answer, HEADER_SIZE));
  const status = answer.status;
  await answer.discard();
  throw refusal(status, answer.url);
}

/** The first bytes of an answer; the rest is not waited for. */
async function beginning(answer: Answer, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let count = 0;
  for await (const chunk of answer.chunks()) {
    chunks.push(chunk);
    count += chunk.length;
    if (count >= length) break;
  }
  return Buffer.concat(chunks).subarray(0, length);
}

async function offerOf(answer: Answer, bytes: Buffer): Promise<Offer> {
  const { declaredEnd } = await import('#libs/sif');
  const { modificationDate, strongEtag } = await import('#libs/client');
  const place = `${answer.url.origin}${answer.url.pathname}`;
  let end: number;
  try {
    end = declaredEnd(bytes);
  } catch (error) {
    throw notSif(place, answer, error);
  }
  const size = totalOf(answer) ?? end;
  if (size < end || size > end + SLACK)
    throw new DomainError(
      'unprocessable',
      `${place} does not fit: the image in it has ${end} bytes by its own header, the server has ${size}`,
      { reason: 'bad_image_size', remedy: 'Whoever offers it should look whether it was uploaded whole' },
    );
  const lastModified = modificationDate(answer);
  const strong = strongEtag(answer);
  const etag = answer.header('etag');
  return {
    size,
    etag: etag !== undefined && /^(W\/)?"[\x21\x23-\x7E]{0,500}"$/.test(etag) ? etag : undefined,
    lastModified,
    version: strong ?? (isOld(lastModified, answer.header('date')) ? lastModified : undefined),
  };
}

/** A date names one version only when the file cannot have changed again within the same second (RFC 9110 §8.8.2.2). */
function isOld(lastModified: string | undefined, now: string | undefined): boolean {
  return lastModified !== undefined && Date.parse(now ?? '') - Date.parse(lastModified) >= 1000;
}

/** Bytes of the whole file; undefined when the server does not say. */
function totalOf(answer: Answer): number | undefined {
  if (answer.status === 206) return parseContentRange(answer.header('content-range'))?.size;
  const length = answer.header('content-length') ?? '';
  return /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

function notSif(place: string, answer: Answer, cause: unknown): DomainError {
  const type = (answer.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const isPage = type === 'text/html';
  return new DomainError(
    'unprocessable',
    isPage ? `${place} is a web page and no SIF image` : `${place} is no SIF image: ${messageOf(cause)}`,
    {
      reason: 'no_sif_image',
      remedy: isPage
        ? 'Look at it in a browser: it may want you to sign in, or lead to the address of the file itself'
        : 'Only SIF files are fetched from addresses',
      cause,
    },
  );
}

function refusal(status: number, url: URL): DomainError {
  const place = `${url.origin}${url.pathname}`;
  if (status === 401 || status === 403)
    return new DomainError(
      'forbidden',
      `${url.origin} does not give ${url.pathname} to everybody (status ${status})`,
      {
        reason: 'not_public',
        remedy: 'Only what is public is fetched from addresses',
      },
    );
  if (status === 416)
    return new DomainError('unprocessable', `${place} is no SIF image: it is empty`, {
      reason: 'no_sif_image',
    });
  return new DomainError('not_found', `There is nothing at ${place} (status ${status})`, {
    reason: 'image_not_found',
  });
}

async function download(
  place: Surroundings,
  http: HttpClient,
  url: string,
  { size, version }: Offer,
  target: Target,
) {
  const { origin, pathname } = new URL(url);
  place.log.info(`Downloading ${origin}${pathname}`);
  const [{ downloadFile }, { declaredEnd, HEADER_SIZE }] = await Promise.all([
    import('#libs/client'),
    import('#libs/sif'),
  ]);
  return receiving(place, size, target, (options) =>
    downloadFile({
      ...options,
      http,
      url,
      size,
      digest: undefined,
      version,
      sender: 'The server',
      // What came may be something else than what was asked about.
      inspect: async (file) => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_SIZE), 0, HEADER_SIZE, 0);
        declaredEnd(buffer.subarray(0, bytesRead));
      },
    }),
  );
}
