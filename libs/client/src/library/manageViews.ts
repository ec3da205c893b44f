import {
  AccountUsage,
  DownloadsAnswer,
  type DownloadsQuery,
  type ImageDetails,
  ImageDetailsAnswer,
  SignaturesAnswer,
  StarAnswer,
  type StarredContainer,
  StarsList,
} from '#libs/contract';
import { DomainError } from '#libs/core';
import { currentUser } from '../frontend.js';
import type { HttpClient } from '../http.js';
import type { CallOptions } from './libraryClient.js';
import { addressOf, ManageCalls, type ManagedPath } from './manageCalls.js';

/** One image as its managers name it. */
export interface ManagedImage {
  readonly path: ManagedPath;
  /** A tag or a digest. */
  readonly ref: string;
  readonly arch?: string | undefined;
}

/** What a library of ours says of images, and what it counts: stars, downloads, what accounts hold. */
export class LibraryViewsClient {
  readonly #calls: ManageCalls;
  readonly #http: HttpClient;
  readonly #options: CallOptions;

  constructor(http: HttpClient, options: CallOptions = {}) {
    this.#calls = new ManageCalls(http, options);
    this.#http = http;
    this.#options = options;
  }

  /** Who has signed an image, signature by signature. */
  async signatures({ path, ref, arch }: ManagedImage): Promise<SignaturesAnswer['data']> {
    const address = addressOf('signatures', path, ref);
    return (await this.#calls.call('GET', address, SignaturesAnswer, { query: { arch } })).data;
  }

  /** What the file of an image says of itself; for whoever may pull it. */
  async details({ path, ref, arch }: ManagedImage): Promise<ImageDetails> {
    const address = addressOf('details', path, ref);
    return (await this.#calls.call('GET', address, ImageDetailsAnswer, { query: { arch } })).data;
  }

  /** Gives a container the star of the caller, or takes it back. */
  async star(path: ManagedPath, isStarred: boolean): Promise<StarAnswer['data']> {
    const method = isStarred ? 'PUT' : 'DELETE';
    return (await this.#calls.call(method, addressOf('stars', path), StarAnswer)).data;
  }

  /** Containers with a star of the caller's, the latest first. */
  stars(): Promise<readonly StarredContainer[]> {
    return this.#calls.pages(addressOf('stars', []), StarsList);
  }

  /** Days are of UTC, and those without a download are not in it. */
  async downloads(path: ManagedPath, { from, to }: DownloadsQuery): Promise<DownloadsAnswer['data']> {
    const address = addressOf('downloads', path);
    return (await this.#calls.call('GET', address, DownloadsAnswer, { query: { from, to } })).data;
  }

  /** @param account that of the caller when absent */
  async usage(account?: string): Promise<AccountUsage['data']> {
    const name = account ?? (await this.#me());
    return (await this.#calls.call('GET', addressOf('accounts', [name]), AccountUsage)).data;
  }

  /** For administrators. @param quota in bytes, 0 for no limit, null for that of all accounts */
  async setQuota(account: string, quota: number | null): Promise<AccountUsage['data']> {
    const address = addressOf('accounts', [account]);
    return (await this.#calls.call('PATCH', address, AccountUsage, { json: { quota } })).data;
  }

  async #me(): Promise<string> {
    const { signal } = this.#options;
    const user = await currentUser(this.#http, signal === undefined ? {} : { signal });
    if (user !== undefined && user.username !== '') return user.username;
    throw new DomainError('unauthorized', 'The library does not take the token');
  }
}
