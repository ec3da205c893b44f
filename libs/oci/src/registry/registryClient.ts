import { createHash } from 'node:crypto';
import type { Answer, HttpClient, RequestOptions } from '#libs/client';
import { DomainError, expected } from '#libs/core';
import { Authorization, type AuthorizationPlace, basicHeader, type Credentials } from './authorization.js';
import { REGISTRY_LIMITS } from './limits.js';
import { type RegistryReference, referenceText, referenceWord } from './reference.js';
import { REFUSALS, refused } from './refusal.js';

export interface RegistryOptions {
  /** A client of the registry's address, without a token. */
  readonly http: HttpClient;
  readonly credentials: AuthorizationPlace['credentials'];
  readonly open: AuthorizationPlace['open'];
  /** The command that logs in, for messages. */
  readonly login: string;
}

/** A manifest or index as it arrived; its digest was checked. */
export interface RawManifest {
  readonly mediaType: string;
  /** `sha256:<hex>` */
  readonly digest: string;
  readonly bytes: Buffer;
}

type Actions = 'pull' | 'pull,push';

/** One repository of a registry (OCI distribution specification 1.1). */
export class RegistryClient {
  readonly #options: RegistryOptions;
  readonly #reference: RegistryReference;
  readonly #authorization: Authorization;

  /** @param actions what a token is asked for */
  constructor(options: RegistryOptions, reference: RegistryReference, actions: Actions = 'pull') {
    const { http, credentials, open, login } = options;
    this.#options = options;
    this.#reference = reference;
    this.#authorization = new Authorization(
      { registry: new URL(http.baseUrl), credentials, open, login },
      `repository:${reference.name}:${actions}`,
    );
  }

  /** `/v2/<name>/<rest>` */
  path(rest: string): string {
    return `/v2/${this.#reference.name}/${rest}`;
  }

  /**
   * As {@link HttpClient.request}, and answers the question who asks: once with every request, so that what outlives its token goes on.
   * @throws ResponseError with the registry's own words
   */
  readonly request = async (options: RequestOptions): Promise<Answer> => {
    const { http, login } = this.#options;
    const accept = options.accept ?? [200];
    for (let asked = false; ; asked = true) {
      const shown = await this.#authorization.header(options.signal);
      const headers = { ...options.headers, ...(shown === undefined ? {} : { authorization: shown }) };
      const answer = await http.request({ ...options, headers, accept: [...accept, ...REFUSALS] });
      if (accept.includes(answer.status)) return answer;
      const what = referenceText(this.#reference);
      if (answer.status !== 401 || asked) throw await refused(answer, what, login);
      if (!(await this.#authorization.answer(answer, shown, options.signal)))
        throw await refused(answer, what, login);
      await answer.discard();
    }
  };

  /**
   * The manifest of the reference, or of a digest.
   * @param types media types that are understood
   * @throws DomainError `wrong_digest` when other bytes come than were named, `too_large`, `bad_answer`
   */
  async manifest(
    types: readonly string[],
    { digest, signal }: { readonly digest?: string; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<RawManifest> {
    const { by } = this.#reference;
    const wanted = digest ?? ('digest' in by ? by.digest : undefined);
    const answer = await this.request({
      url: this.path(`manifests/${wanted ?? referenceWord(this.#reference)}`),
      headers: { accept: types.join(', ') },
      accept: [200],
      timeout: REGISTRY_LIMITS.documentTime,
      ...signalOf(signal),
    });
    const bytes = await answer.bytes(REGISTRY_LIMITS.manifest);
    const found = digestOf(bytes);
    // What a tag stands for, the registry alone knows; then the bytes have to be what it says they are.
    requireDigest(wanted ?? answer.header('docker-content-digest') ?? found, found, 'the manifest');
    const mediaType = (answer.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
    if (!types.includes(mediaType))
      throw new DomainError(
        'unprocessable',
        expected(`a manifest (${types.join(' or ')})`, referenceText(this.#reference), mediaType),
        { reason: 'unknown_media_type' },
      );
    return { mediaType, digest: found, bytes };
  }

  /** A small blob. @throws DomainError `wrong_digest`, `too_large` */
  async smallBlob(digest: string, signal?: AbortSignal): Promise<Buffer> {
    const answer = await this.request({ url: this.path(`blobs/${digest}`), ...signalOf(signal) });
    const bytes = await answer.bytes(REGISTRY_LIMITS.config);
    requireDigest(digest, digestOf(bytes), 'a part of the artifact');
    return bytes;
  }

  /** Whether the repository has a blob. */
  async hasBlob(digest: string, signal?: AbortSignal): Promise<boolean> {
    const answer = await this.request({
      method: 'HEAD',
      url: this.path(`blobs/${digest}`),
      accept: [200, 404],
      ...signalOf(signal),
    });
    await answer.discard();
    return answer.status === 200;
  }

  /** Puts a manifest under the tag or digest of the reference; returns its digest. */
  async putManifest(bytes: Buffer, mediaType: string, signal?: AbortSignal): Promise<string> {
    const digest = digestOf(bytes);
    const answer = await this.request({
      method: 'PUT',
      url: this.path(`manifests/${referenceWord(this.#reference)}`),
      headers: { 'content-type': mediaType },
      body: bytes,
      accept: [200, 201, 202, 204],
      ...signalOf(signal),
    });
    await answer.discard();
    requireDigest(answer.header('docker-content-digest') ?? digest, digest, 'the manifest that was sent');
    return digest;
  }
}

/** Whether a registry accepts somebody. `unasked`: it answers everybody, so that nothing is known about the password. */
export type LoginCheck = 'accepted' | 'refused' | 'unasked';

/** Asks the registry itself (`GET /v2/`) whether it knows somebody by this password. */
export async function checkLogin(
  { http, open, login }: Omit<RegistryOptions, 'credentials'>,
  credentials: Credentials,
  signal?: AbortSignal,
): Promise<LoginCheck> {
  const place = { registry: new URL(http.baseUrl), credentials: async () => credentials, open, login };
  const authorization = new Authorization(place, undefined);
  const ask = (authorizationHeader?: string): Promise<Answer> =>
    http.request({
      url: '/v2/',
      ...(authorizationHeader === undefined ? {} : { headers: { authorization: authorizationHeader } }),
      accept: [200, 401, 403, 404],
      timeout: REGISTRY_LIMITS.documentTime,
      ...signalOf(signal),
    });
  const first = await ask();
  if (first.status === 200) {
    // Some let everybody in and still say no to a wrong password.
    await first.discard();
    const again = await ask(basicHeader(credentials));
    await again.discard();
    return again.status === 200 ? 'unasked' : 'refused';
  }
  if (first.status !== 401) throw await notRegistry(first, http.baseUrl);
  try {
    if (!(await authorization.answer(first, undefined, signal))) throw await notRegistry(first, http.baseUrl);
  } catch (error) {
    if (error instanceof DomainError && (error.code === 'unauthorized' || error.code === 'forbidden'))
      return 'refused';
    throw error;
  }
  await first.discard();
  const second = await ask(await authorization.header(signal));
  await second.discard();
  return second.status === 200 ? 'accepted' : 'refused';
}

async function notRegistry(answer: Answer, base: string): Promise<DomainError> {
  await answer.discard();
  return new DomainError('unavailable', `${base} does not answer as a registry does`, {
    reason: 'no_registry',
    remedy: 'Check the name; a port stands behind it: registry.example.org:5000',
  });
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function requireDigest(wanted: string, found: string, what: string): void {
  if (wanted === found) return;
  throw new DomainError('unprocessable', expected(wanted, `the hash of ${what}`, found), {
    reason: 'wrong_digest',
    remedy: 'The registry or something on the way has changed it: do not use it.',
  });
}

export function signalOf(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
