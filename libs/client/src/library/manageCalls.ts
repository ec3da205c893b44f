import type { z } from 'zod';
import { MANAGE_PATH } from '#libs/contract';
import type { HttpClient, RequestOptions } from '../http.js';
import type { CallOptions } from './libraryClient.js';

/** Lists are read in pages of this many. */
const PAGE = 500;

/** `entity`, `entity/collection` or `entity/collection/container`, checked. */
export type ManagedPath = readonly string[];

interface Call {
  readonly query?: RequestOptions['query'];
  readonly json?: unknown;
}

/** Requests to the management of a library and their answers. */
export class ManageCalls {
  readonly #http: HttpClient;
  readonly #options: Pick<RequestOptions, 'signal'>;

  constructor(http: HttpClient, { signal }: CallOptions) {
    this.#http = http;
    this.#options = signal === undefined ? {} : { signal };
  }

  /** One request. @throws DomainError what the library says */
  async call<S extends z.ZodType>(
    method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE',
    url: string,
    schema: S,
    { query, json }: Call = {},
  ): Promise<z.output<S>> {
    const answer = await this.#http.request({
      ...this.#options,
      method,
      url,
      ...(query === undefined ? {} : { query }),
      ...(json === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(json) }),
    });
    return answer.json(schema);
  }

  /** A whole list, page by page. */
  async pages<T>(
    url: string,
    schema: z.ZodType<{ data: T[]; page?: { next?: string | undefined } | undefined }>,
  ): Promise<readonly T[]> {
    const all: T[] = [];
    let cursor: string | undefined;
    do {
      const answer = await this.call('GET', url, schema, { query: { limit: PAGE, cursor } });
      all.push(...answer.data);
      cursor = answer.page?.next;
    } while (cursor !== undefined);
    return all;
  }
}

/** Where the management of something is. @param rest more of the address, which is no part of its path */
export function addressOf(kind: string, path: ManagedPath, ...rest: readonly string[]): string {
  return [MANAGE_PATH, kind, ...[...path, ...rest].map(encodeURIComponent)].join('/');
}
