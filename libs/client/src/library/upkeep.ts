import { LIBRARY_UPKEEP_PATHS, LibraryCheckAnswer, type LibraryCheckPart } from '#libs/contract';
import type { HttpClient } from '../http.js';
import type { CallOptions } from './libraryClient.js';

/** A part of a check of many large documents on a slow machine. */
const TIMEOUT = 300_000;

/** What administrators do with a whole library of ours. */
export class LibraryUpkeepClient {
  readonly #http: HttpClient;
  readonly #options: { readonly timeout: number; readonly signal?: AbortSignal };

  constructor(http: HttpClient, { signal }: CallOptions = {}) {
    this.#http = http;
    this.#options = { timeout: TIMEOUT, ...(signal === undefined ? {} : { signal }) };
  }

  /** A part of a check after the other; the last one has no place to go on from. */
  async *check(options: {
    readonly repair: boolean;
    readonly rehash: boolean;
  }): AsyncGenerator<LibraryCheckPart, void> {
    let cursor: string | undefined;
    do {
      const body = { ...options, cursor };
      const path = LIBRARY_UPKEEP_PATHS.check;
      const answer = await this.#http.sendJson('POST', path, body, LibraryCheckAnswer, this.#options);
      yield answer.data;
      cursor = answer.page?.next;
    } while (cursor !== undefined);
  }
}
