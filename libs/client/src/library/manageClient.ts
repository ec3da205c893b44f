import type { z } from 'zod';
import {
  type ChangeCollectionRequest,
  type ChangeContainerRequest,
  type ChangeEntityRequest,
  CollectionsList,
  ContainersList,
  EntitiesList,
  ImagesList,
  type LibraryCollection,
  type ListedCollection,
  type ListedContainer,
  type ListedImage,
  type ListedTag,
  MANAGE_PATH,
  ManagedCollectionAnswer,
  type ManagedContainer,
  ManagedContainerAnswer,
  type ManagedEntity,
  ManagedEntityAnswer,
  RemovedAnswer,
  RetentionAnswer,
  type RetentionRequest,
  TagsList,
} from '#libs/contract';
import type { HttpClient, RequestOptions } from '../http.js';
import type { CallOptions } from './libraryClient.js';

/** Lists are read in pages of this many. */
const PAGE = 500;

/** `entity`, `entity/collection` or `entity/collection/container`, checked. */
export type ManagedPath = readonly string[];

/** The management of a library of ours (docs/guide/library.md): what the protocol of the stock clients does not have. */
export class LibraryManageClient {
  readonly #http: HttpClient;
  readonly #options: Pick<RequestOptions, 'signal'>;

  constructor(http: HttpClient, { signal }: CallOptions = {}) {
    this.#http = http;
    this.#options = signal === undefined ? {} : { signal };
  }

  /** Entities that the caller belongs to, by name. */
  async entities(): Promise<readonly ManagedEntity[]> {
    return (await this.#http.getJson('/v1/entities', EntitiesList, this.#options)).data;
  }

  /** By name; so are containers. */
  collections(path: ManagedPath): Promise<readonly ListedCollection[]> {
    return this.#pages(addressOf('collections', path), CollectionsList);
  }

  containers(path: ManagedPath): Promise<readonly ListedContainer[]> {
    return this.#pages(addressOf('containers', path), ContainersList);
  }

  /** Newest first. */
  images(path: ManagedPath): Promise<readonly ListedImage[]> {
    return this.#pages(addressOf('images', path), ImagesList);
  }

  /** By tag, then by architecture. */
  tags(path: ManagedPath): Promise<readonly ListedTag[]> {
    return this.#pages(addressOf('tags', path), TagsList);
  }

  async entity(path: ManagedPath): Promise<ManagedEntity> {
    return (await this.#call('GET', stockAddressOf('entities', path), ManagedEntityAnswer)).data;
  }

  async collection(path: ManagedPath): Promise<LibraryCollection> {
    return (await this.#call('GET', stockAddressOf('collections', path), ManagedCollectionAnswer)).data;
  }

  async container(path: ManagedPath): Promise<ManagedContainer> {
    return (await this.#call('GET', stockAddressOf('containers', path), ManagedContainerAnswer)).data;
  }

  /** Changes what is named and nothing else. */
  async changeEntity(path: ManagedPath, change: Partial<ChangeEntityRequest>): Promise<ManagedEntity> {
    return (await this.#call('PATCH', addressOf('entities', path), ManagedEntityAnswer, change)).data;
  }

  async changeCollection(
    path: ManagedPath,
    change: Partial<ChangeCollectionRequest>,
  ): Promise<LibraryCollection> {
    return (await this.#call('PATCH', addressOf('collections', path), ManagedCollectionAnswer, change)).data;
  }

  async changeContainer(
    path: ManagedPath,
    change: Partial<ChangeContainerRequest>,
  ): Promise<ManagedContainer> {
    return (await this.#call('PATCH', addressOf('containers', path), ManagedContainerAnswer, change)).data;
  }

  /** Says what the rules keep, or applies those of the container. */
  async retain(path: ManagedPath, request: Partial<RetentionRequest>): Promise<RetentionAnswer['data']> {
    return (await this.#call('POST', addressOf('retention', path), RetentionAnswer, request)).data;
  }

  /** An entity and a collection have to be empty; a container goes with its images. */
  async remove(path: ManagedPath): Promise<void> {
    const kinds = ['entities', 'collections', 'containers'];
    await this.#call('DELETE', addressOf(kinds[path.length - 1] ?? '', path), RemovedAnswer);
  }

  async removeTag(path: ManagedPath, tag: string, arch: string): Promise<void> {
    const address = `${addressOf('tags', path)}/${encodeURIComponent(tag)}`;
    await this.#call('DELETE', address, RemovedAnswer, undefined, { arch });
  }

  async #call<S extends z.ZodType>(
    method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE',
    url: string,
    schema: S,
    body?: unknown,
    query?: RequestOptions['query'],
  ): Promise<z.output<S>> {
    const answer = await this.#http.request({
      ...this.#options,
      method,
      url,
      ...(query === undefined ? {} : { query }),
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return answer.json(schema);
  }

  /** A whole list, page by page. */
  async #pages<T>(
    url: string,
    schema: z.ZodType<{ data: T[]; page?: { next?: string | undefined } | undefined }>,
    query: RequestOptions['query'] = {},
  ): Promise<readonly T[]> {
    const all: T[] = [];
    let cursor: string | undefined;
    do {
      const asked = { ...this.#options, query: { ...query, limit: PAGE, cursor } };
      const answer = await this.#http.getJson(url, schema, asked);
      all.push(...answer.data);
      cursor = answer.page?.next;
    } while (cursor !== undefined);
    return all;
  }
}

function addressOf(kind: string, path: ManagedPath): string {
  return [MANAGE_PATH, kind, ...path.map(encodeURIComponent)].join('/');
}

function stockAddressOf(kind: string, path: ManagedPath): string {
  return ['/v1', kind, ...path.map(encodeURIComponent)].join('/');
}
