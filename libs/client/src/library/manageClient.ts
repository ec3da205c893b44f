import {
  type ChangeCollectionRequest,
  type ChangeContainerRequest,
  type ChangeEntityRequest,
  CollectionsList,
  ContainersList,
  EntitiesList,
  EntityRetentionAnswer,
  type EntityRetentionRequest,
  ImagesList,
  type LibraryCollection,
  type ListedCollection,
  type ListedContainer,
  type ListedImage,
  type ListedTag,
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
import type { HttpClient } from '../http.js';
import type { CallOptions } from './libraryClient.js';
import { addressOf, ManageCalls, type ManagedPath } from './manageCalls.js';

/** What becomes of some containers of an entity; `next` is the cursor of the next ones. */
export type RetainedPage = EntityRetentionAnswer['data'] & { readonly next: string | undefined };

/** The management of a library of ours (docs/guide/library.md): what the protocol of the stock clients does not have. */
export class LibraryManageClient {
  readonly #calls: ManageCalls;

  constructor(http: HttpClient, options: CallOptions = {}) {
    this.#calls = new ManageCalls(http, options);
  }

  /** Entities that the caller belongs to, by name. */
  async entities(): Promise<readonly ManagedEntity[]> {
    return (await this.#calls.call('GET', '/v1/entities', EntitiesList)).data;
  }

  /** By name; so are containers. */
  collections(path: ManagedPath): Promise<readonly ListedCollection[]> {
    return this.#calls.pages(addressOf('collections', path), CollectionsList);
  }

  containers(path: ManagedPath): Promise<readonly ListedContainer[]> {
    return this.#calls.pages(addressOf('containers', path), ContainersList);
  }

  /** Newest first. */
  images(path: ManagedPath): Promise<readonly ListedImage[]> {
    return this.#calls.pages(addressOf('images', path), ImagesList);
  }

  /** By tag, then by architecture. */
  tags(path: ManagedPath): Promise<readonly ListedTag[]> {
    return this.#calls.pages(addressOf('tags', path), TagsList);
  }

  async entity(path: ManagedPath): Promise<ManagedEntity> {
    return (await this.#calls.call('GET', stockAddressOf('entities', path), ManagedEntityAnswer)).data;
  }

  async collection(path: ManagedPath): Promise<LibraryCollection> {
    return (await this.#calls.call('GET', stockAddressOf('collections', path), ManagedCollectionAnswer)).data;
  }

  async container(path: ManagedPath): Promise<ManagedContainer> {
    return (await this.#calls.call('GET', stockAddressOf('containers', path), ManagedContainerAnswer)).data;
  }

  /** Changes what is named and nothing else. */
  async changeEntity(path: ManagedPath, change: Partial<ChangeEntityRequest>): Promise<ManagedEntity> {
    return (
      await this.#calls.call('PATCH', addressOf('entities', path), ManagedEntityAnswer, { json: change })
    ).data;
  }

  async changeCollection(
    path: ManagedPath,
    change: Partial<ChangeCollectionRequest>,
  ): Promise<LibraryCollection> {
    return (
      await this.#calls.call('PATCH', addressOf('collections', path), ManagedCollectionAnswer, {
        json: change,
      })
    ).data;
  }

  async changeContainer(
    path: ManagedPath,
    change: Partial<ChangeContainerRequest>,
  ): Promise<ManagedContainer> {
    return (
      await this.#calls.call('PATCH', addressOf('containers', path), ManagedContainerAnswer, { json: change })
    ).data;
  }

  /** Says what the rules keep, or applies those of the container. */
  async retain(path: ManagedPath, request: Partial<RetentionRequest>): Promise<RetentionAnswer['data']> {
    return (await this.#calls.call('POST', addressOf('retention', path), RetentionAnswer, { json: request }))
      .data;
  }

  /** The same for the containers of an entity, one page of them. */
  async retainEntity(path: ManagedPath, request: Partial<EntityRetentionRequest>): Promise<RetainedPage> {
    const { data, page } = await this.#calls.call(
      'POST',
      addressOf('retention', path),
      EntityRetentionAnswer,
      { json: request },
    );
    return { ...data, next: page?.next };
  }

  /** An entity and a collection have to be empty; a container goes with its images. */
  async remove(path: ManagedPath): Promise<void> {
    const kinds = ['entities', 'collections', 'containers'];
    await this.#calls.call('DELETE', addressOf(kinds[path.length - 1] ?? '', path), RemovedAnswer);
  }

  async removeTag(path: ManagedPath, tag: string, arch: string): Promise<void> {
    const address = `${addressOf('tags', path)}/${encodeURIComponent(tag)}`;
    await this.#calls.call('DELETE', address, RemovedAnswer, { query: { arch } });
  }
}

function stockAddressOf(kind: string, path: ManagedPath): string {
  return ['/v1', kind, ...path.map(encodeURIComponent)].join('/');
}
