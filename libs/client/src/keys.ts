import {
  type BlockedKey,
  BlockedKeyAnswer,
  BlockedKeysAnswer,
  type ExpiringKey,
  ExpiringKeysAnswer,
  type KeyChallenge,
  KeyChallengeAnswer,
  type KeyChange,
  KeyChangesAnswer,
  KeyCheckAnswer,
  type KeyCheckPart,
  KeyExportAnswer,
  type KeyImported,
  KeyImportAnswer,
  type KeyRecord,
  KeyRecordAnswer,
  type KeyRemoved,
  KeyRemovedAnswer,
  type KeyringEntry,
  KeyringEntryAnswer,
  KEYSTORE_LIMITS,
  KEYSTORE_PATHS,
} from '#libs/contract';
import { AuthCalls } from './auth-calls.js';
import type { HttpClient } from './http.js';

/** A keyring holds at most so many keys of at most 64 KiB. */
const KEYRING_BYTES = 64 * 1024 * 1024;
/** An import of the largest request on a slow machine. */
const IMPORT_TIMEOUT = 300_000;
const TIMEOUT = 15_000;

interface CallOptions {
  readonly signal?: AbortSignal;
}

/** What is known of some keys, and the mark of that answer. */
export interface KnownChanges {
  readonly changes: readonly KeyChange[];
  readonly etag: string | undefined;
}

/** The keystore besides HKP: whose a key is, what changed, keyrings, and what administrators do (ADR 14). */
export class KeysClient {
  readonly #http: HttpClient;
  readonly #calls: AuthCalls;
  readonly #signal: AbortSignal | undefined;

  /** @param http client of the keystore, with a token for everything but {@link changesOf} and {@link keyring} */
  constructor(http: HttpClient, { signal }: CallOptions = {}) {
    this.#http = http;
    this.#calls = new AuthCalls(http, signal === undefined ? {} : { signal });
    this.#signal = signal;
  }

  async show(fingerprint: string): Promise<KeyRecord> {
    return (await this.#calls.call(pathOf(fingerprint), KeyRecordAnswer)).data;
  }

  async challenge(fingerprint: string): Promise<KeyChallenge> {
    const call = { method: 'POST' } as const;
    return (await this.#calls.call(pathOf(fingerprint, 'challenge'), KeyChallengeAnswer, call)).data;
  }

  /** @param signed the challenge, clear-signed with the primary key */
  async claim(fingerprint: string, signed: string): Promise<KeyRecord> {
    const call = { method: 'POST', json: { signed } } as const;
    return (await this.#calls.call(pathOf(fingerprint, 'claim'), KeyRecordAnswer, call)).data;
  }

  /** Hides exactly these user ids. @param hashes SHA-256 of their bytes */
  async hide(fingerprint: string, hashes: readonly string[]): Promise<KeyRecord> {
    const call = { method: 'PUT', json: { hashes } } as const;
    return (await this.#calls.call(pathOf(fingerprint, 'hidden'), KeyRecordAnswer, call)).data;
  }

  async remove(fingerprint: string): Promise<KeyRemoved> {
    return (await this.#calls.call(pathOf(fingerprint), KeyRemovedAnswer, { method: 'DELETE' })).data;
  }

  /**
   * What is known of keys, at most a hundred, in one conditional request; undefined when it is what the mark says.
   * @param etag of an earlier answer about the same keys
   * @param timeout milliseconds; then the answer is not waited for
   * @throws ResponseError 404 from key servers of another kind
   */
  async changesOf(
    fingerprints: readonly string[],
    { etag, timeout = TIMEOUT }: { etag?: string | undefined; timeout?: number } = {},
  ): Promise<KnownChanges | undefined> {
    const answer = await this.#http.request({
      url: KEYSTORE_PATHS.changes,
      query: { fingerprint: fingerprints.map((one) => one.toLowerCase()).join(',') },
      headers: etag === undefined ? {} : { 'if-none-match': etag },
      accept: [200, 304],
      authorize: false,
      // One attempt: who asks has an answer in the meantime.
      repeatable: false,
      timeout,
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    });
    if (answer.status === 304) {
      await answer.discard();
      return undefined;
    }
    const { data } = await answer.json(KeyChangesAnswer);
    return { changes: data.changes, etag: answer.header('etag') };
  }

  /**
   * What changed after a number, in order, whichever keys it is about; with `next` to ask after the next time. One attempt.
   * @throws ResponseError 401 where nobody is told anything without a token
   */
  async changesAfter(after: number, timeout: number = TIMEOUT): Promise<KeyChangesAnswer['data']> {
    const answer = await this.#http.request({
      url: KEYSTORE_PATHS.changes,
      query: { after },
      repeatable: false,
      authorize: false,
      timeout,
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    });
    return (await answer.json(KeyChangesAnswer)).data;
  }

  /** Those that end within so many days. @param all everybody's, for administrators */
  expiring(within: number, all = false): Promise<readonly ExpiringKey[]> {
    const query = { within: String(within), all: String(all) };
    return this.#calls.pages(KEYSTORE_PATHS.expiring, ExpiringKeysAnswer, query);
  }

  blocked(): Promise<readonly BlockedKey[]> {
    return this.#calls.pages(KEYSTORE_PATHS.blocked, BlockedKeysAnswer);
  }

  async block(fingerprint: string): Promise<BlockedKey> {
    return (await this.#calls.call(blockPath(fingerprint), BlockedKeyAnswer, { method: 'PUT' })).data;
  }

  async unblock(fingerprint: string): Promise<BlockedKey> {
    return (await this.#calls.call(blockPath(fingerprint), BlockedKeyAnswer, { method: 'DELETE' })).data;
  }

  /** The armored keyring of an organisation, undefined when it has none. */
  async keyring(organisation: string): Promise<string | undefined> {
    const answer = await this.#http.request({
      url: `${KEYSTORE_PATHS.keyrings}/${encodeURIComponent(organisation)}.asc`,
      accept: [200, 404],
      authorize: false,
      timeout: TIMEOUT * 4,
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    });
    if (answer.status === 200) return answer.text(KEYRING_BYTES);
    await answer.discard();
    return undefined;
  }

  async addToKeyring(organisation: string, fingerprint: string): Promise<KeyringEntry> {
    const path = keyringPath(organisation, fingerprint);
    return (await this.#calls.call(path, KeyringEntryAnswer, { method: 'PUT' })).data;
  }

  async removeFromKeyring(organisation: string, fingerprint: string): Promise<KeyringEntry> {
    const path = keyringPath(organisation, fingerprint);
    return (await this.#calls.call(path, KeyringEntryAnswer, { method: 'DELETE' })).data;
  }

  /** A part of a check after the other; the last one has no place to go on from. */
  async *check(repair: boolean): AsyncGenerator<KeyCheckPart, void> {
    let cursor: string | undefined;
    do {
      const answer = await this.#http.sendJson(
        'POST',
        `${KEYSTORE_PATHS.keys}/check`,
        { repair, cursor },
        KeyCheckAnswer,
        { timeout: IMPORT_TIMEOUT, ...(this.#signal === undefined ? {} : { signal: this.#signal }) },
      );
      yield answer.data;
      cursor = answer.page?.next;
    } while (cursor !== undefined);
  }

  /** All certificates that are served, armored, by fingerprint. */
  async *export(): AsyncGenerator<{ readonly fingerprint: string; readonly armor: string }, void> {
    let cursor: string | undefined;
    do {
      const answer = await this.#calls.call(`${KEYSTORE_PATHS.keys}/export`, KeyExportAnswer, {
        // Few, so that an answer of the largest keys is not too long.
        query: { limit: Math.min(100, KEYSTORE_LIMITS.page), cursor },
      });
      yield* answer.data;
      cursor = answer.page?.next;
    } while (cursor !== undefined);
  }

  /** Certificates as packets, one after the other. The same again changes nothing. */
  async import(packets: Uint8Array): Promise<KeyImported> {
    const answer = await this.#http.request({
      method: 'POST',
      url: `${KEYSTORE_PATHS.keys}/import`,
      headers: { 'content-type': 'application/pgp-keys' },
      body: packets,
      repeatable: true,
      timeout: IMPORT_TIMEOUT,
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    });
    return (await answer.json(KeyImportAnswer)).data;
  }
}

const pathOf = (fingerprint: string, ...rest: readonly string[]): string =>
  [KEYSTORE_PATHS.keys, fingerprint.toLowerCase(), ...rest].join('/');

const blockPath = (fingerprint: string): string => `${KEYSTORE_PATHS.blocked}/${fingerprint.toLowerCase()}`;

const keyringPath = (organisation: string, fingerprint: string): string =>
  `${KEYSTORE_PATHS.keyrings}/${encodeURIComponent(organisation)}/keys/${fingerprint.toLowerCase()}`;
