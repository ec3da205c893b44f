import { Readable } from 'node:stream';
import { z } from 'zod';
import {
  BuildAnswer,
  BuildListAnswer,
  type BuildContextAnnouncement,
  type BuildMetadata,
  type BuildRequest,
} from '#libs/contract';
import { DomainError } from '#libs/core';
import { followLog } from './builder-log.js';
import type { HttpClient } from './http.js';

/** "submit, status, cancel, version, convert: about 30 s in total" (builder contract §2.4). */
const TIMEOUT = 30_000;
/** "websocket handshake: 45 s" (builder contract §2.4). */
const HANDSHAKE = 45_000;

interface CallOptions {
  readonly signal?: AbortSignal;
}

/** An archive that goes along with a build. */
export interface BuildContext extends BuildContextAnnouncement {
  /** Opens the archive; called once for every attempt to send it. */
  open(): Readable;
}

/** The remote builder (builder contract §3). */
export class BuilderClient {
  readonly #http: HttpClient;

  constructor(http: HttpClient) {
    this.#http = http;
  }

  /** Hands in a build. Never repeated by itself: the service has no way to see that it is the same. */
  async submit(request: BuildRequest, options: CallOptions = {}): Promise<BuildMetadata> {
    const call = { timeout: TIMEOUT, ...options };
    return (await this.#http.sendJson('POST', '/v1/build', request, BuildAnswer, call)).data;
  }

  async status(id: string, options: CallOptions = {}): Promise<BuildMetadata> {
    const call = { timeout: TIMEOUT, ...options };
    return (await this.#http.getJson(`/v1/build/${checked(id)}`, BuildAnswer, call)).data;
  }

  /** Builds, newest first. Without a user the caller's own. */
  async list(
    query: { from?: string; to?: string; user?: string; includeDeleted?: 'true' } = {},
    options: CallOptions = {},
  ): Promise<readonly BuildMetadata[]> {
    const call = { timeout: TIMEOUT, query, ...options };
    return (await this.#http.getJson('/v1/build', BuildListAnswer, call)).data;
  }

  /** Stops a build; one that is over stays as it is. */
  async cancel(id: string, options: CallOptions & { timeout?: number } = {}): Promise<void> {
    const answer = await this.#http.request({
      method: 'PUT',
      url: `/v1/build/${checked(id)}/_cancel`,
      timeout: TIMEOUT,
      ...options,
    });
    await answer.discard();
  }

  /**
   * Sends an archive unless the service has it already: "With a Location header: upload is wanted. Without: content
   * already held" (builder contract §3.11).
   * @param onProgress bytes sent so far
   */
  async uploadContext(
    context: BuildContext,
    options: CallOptions & { onProgress?: (sent: number) => void } = {},
  ): Promise<'uploaded' | 'held'> {
    const { onProgress, ...call } = options;
    const { size, digest } = context;
    const announced = await this.#http.request({
      method: 'POST',
      url: '/v1/build-context',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ size, digest }),
      repeatable: true,
      follow: false,
      ...call,
    });
    await announced.discard();
    const location = announced.header('location');
    if (location === undefined) return 'held';
    // "Location is resolved against the base URL by the usual RFC 3986 rules" (builder contract §3.11).
    const url = URL.parse(location, `${this.#http.baseUrl}/`);
    if (url === null) {
      throw new DomainError('unavailable', 'The builder wants the build context at no usable address', {
        reason: 'bad_answer',
      });
    }
    const answer = await this.#http.request({
      method: 'PUT',
      url: url.href,
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
      body: () => counted(context.open(), onProgress),
      // "the URL itself carries the authority" (builder contract §2.1).
      authorize: false,
      headersTimeout: 0,
      ...call,
    });
    await answer.discard();
    return 'uploaded';
  }

  /** Gives an archive up; somebody else's identical one stays. */
  async releaseContext(digest: string, options: CallOptions = {}): Promise<void> {
    const url = `/v1/build-context/${encodeURIComponent(digest)}`;
    const answer = await this.#http.request({ method: 'DELETE', url, timeout: TIMEOUT, ...options });
    await answer.discard();
  }

  /** Follows the log from its first byte until the build is over, across broken connections. */
  async followLog(
    id: string,
    options: CallOptions & { onText: (text: string) => void; backoff?: number },
  ): Promise<void> {
    const call = options.signal === undefined ? {} : { signal: options.signal };
    const path = `/v1/build-ws/${checked(id)}`;
    await followLog(() => this.#http.openSocket(path, { timeout: HANDSHAKE, ...call }), options);
  }

  /** The log so far. */
  async output(id: string, options: CallOptions = {}): Promise<string> {
    const url = `/v1/build-output/${checked(id)}`;
    return (await this.#http.request({ url, timeout: TIMEOUT, ...options })).text();
  }
}

function checked(id: string): string {
  // An id becomes part of a path; nothing but the known form may.
  if (
    z
      .string()
      .regex(/^[0-9a-f]{24}$/)
      .safeParse(id).success
  )
    return id;
  throw new DomainError('bad_request', 'Expected 24 hexadecimal digits for the id of a build');
}

function counted(source: Readable, onProgress: ((sent: number) => void) | undefined): Readable {
  if (onProgress === undefined) return source;
  return Readable.from(
    (async function* () {
      let sent = 0;
      for await (const chunk of source as AsyncIterable<Buffer>) {
        yield chunk;
        sent += chunk.length;
        onProgress(sent);
      }
    })(),
    { objectMode: false },
  );
}
