import { DomainError, expected } from '#libs/core';
import type { HttpClient } from './http.js';
import { parseIndex, type IndexedKey } from './keystore-index.js';

/** "5 s total timeout" of the stock client; ours waits longer for a slow network (keystore contract §1.1). */
const TIMEOUT = 15_000;

/** One page of a search. */
export interface KeyPage {
  readonly keys: readonly IndexedKey[];
  /** Present when there is more. */
  readonly nextPageToken: string | undefined;
}

interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * Where a key server listens: "`http`, `https`, `hkp` → http (default port 11371), `hkps` → https (443); anything else is
 * an error" (keystore contract §1.1).
 * @throws DomainError `bad_request`
 */
export function keystoreBaseUrl(uri: string): string {
  const mapped = uri.replace(/^hkps:/i, 'https:').replace(/^hkp:/i, 'http:');
  const url = URL.parse(mapped);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new DomainError('bad_request', expected('an https:// or hkps:// address', 'a key server', uri));
  }
  if (/^hkp:\/\/(?![^/]*:\d)/i.test(uri)) url.port = '11371';
  // "/pks/* must live at the host root. All three clients drop any path prefix" (keystore contract §0).
  return url.origin;
}

/** An HKP key server. */
export class KeystoreClient {
  readonly #http: HttpClient;
  readonly #root: string;

  constructor(http: HttpClient) {
    this.#http = http;
    this.#root = keystoreBaseUrl(http.baseUrl);
  }

  /**
   * Armored certificates that match exactly, or undefined when there are none.
   * @param search `0x<hex>` for a fingerprint or key id, else an address or user id
   */
  async get(search: string, options: CallOptions = {}): Promise<string | undefined> {
    const answer = await this.#http.request({
      url: `${this.#root}/pks/lookup`,
      query: { exact: 'on', op: 'get', search },
      accept: [200, 404],
      timeout: TIMEOUT,
      ...options,
    });
    if (answer.status === 200) return answer.text();
    await answer.discard();
    return undefined;
  }

  /**
   * Certificates whose user ids have all the words, or whose id or fingerprint it is.
   * @param pageSize at most as many; servers may send fewer (keystore contract §1.8)
   */
  async search(
    search: string,
    options: CallOptions & { pageSize?: number; pageToken?: string } = {},
  ): Promise<KeyPage> {
    const { pageSize = 256, pageToken, ...call } = options;
    const answer = await this.#http.request({
      url: `${this.#root}/pks/lookup`,
      query: {
        fingerprint: 'on',
        op: 'index',
        options: 'mr',
        search,
        'x-pagesize': pageSize,
        'x-pagetoken': pageToken,
      },
      accept: [200, 404],
      timeout: TIMEOUT,
      ...call,
    });
    if (answer.status === 404) {
      await answer.discard();
      return { keys: [], nextPageToken: undefined };
    }
    const next = answer.header('x-hkp-next-page-token');
    return { keys: parseIndex(await answer.text()), nextPageToken: next === '' ? undefined : next };
  }

  /**
   * Stores or updates a certificate; the same again changes nothing (keystore contract §1.9).
   * @returns what the server says about it, for people
   * @throws ResponseError 401 without a token, 403, 413, 422
   */
  async add(armored: string, options: CallOptions = {}): Promise<string> {
    const answer = await this.#http.request({
      method: 'POST',
      url: `${this.#root}/pks/add`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ keytext: armored }).toString(),
      // "Idempotent: the same bytes again → 200" (keystore contract §1.9).
      repeatable: true,
      timeout: TIMEOUT * 2,
      ...options,
    });
    return (await answer.text()).trim();
  }
}
