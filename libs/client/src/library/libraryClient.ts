import type { z } from 'zod';
import {
  ArchTagsAnswer,
  CollectionAnswer,
  ContainerAnswer,
  EntityAnswer,
  ImageAnswer,
  type LibraryContainer,
  type LibraryImage,
  SearchAnswer,
  type SearchResult,
  VersionAnswer,
} from '#libs/contract';
import { DomainError, type LibraryReference } from '#libs/core';
import type { HttpClient } from '../http.js';
import { type LibraryProtocol, protocolOf } from './versions.js';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** One image as requests name it. */
export interface ImagePath {
  /** `[entity/[collection/]]container`. */
  readonly path: string;
  /** A tag or a digest. */
  readonly tag: string;
  readonly arch?: string | undefined;
}

/** What a search is narrowed to. Libraries other than ours know `arch` and `signed` alone. */
export interface SearchFilters {
  readonly arch?: string | undefined;
  readonly signed?: boolean | undefined;
  /** A fingerprint, a key id, or its last digits: of a key whose signature the library has verified. */
  readonly signer?: string | undefined;
  readonly entity?: string | undefined;
  readonly private?: boolean | undefined;
  /** What the page before has given as `next`. */
  readonly cursor?: string | undefined;
}

/** A page of what a search has found. */
export interface FoundPage extends SearchResult {
  readonly more: boolean;
  /** So much had to be looked at that the rest is left to the next page. */
  readonly cut: boolean;
  readonly next: string | undefined;
}

/** What stock clients write where nobody said anything (library contract §6.1). */
const NO_DESCRIPTION = 'No description';

/** A library of images: ours, or any other that speaks the protocol (library contract). */
export class LibraryClient {
  /** Connection to the library's base. */
  readonly http: HttpClient;
  #protocol: LibraryProtocol | undefined;

  constructor(http: HttpClient) {
    this.http = http;
  }

  /** What the server offers; asked once. */
  async protocol(options: CallOptions = {}): Promise<LibraryProtocol> {
    this.#protocol ??= protocolOf(await this.#apiVersion(options));
    return this.#protocol;
  }

  /** The path of a checked reference and one of its tags, the first by default. */
  static pathOf(reference: Pick<LibraryReference, 'names' | 'tags'>, arch?: string): ImagePath {
    return { path: reference.names.join('/'), tag: reference.tags[0] ?? 'latest', arch };
  }

  /** Undefined when there is none (or none for this token). */
  async findImage(
    { path, tag, arch }: ImagePath,
    options: CallOptions = {},
  ): Promise<LibraryImage | undefined> {
    const query = { arch };
    return (await this.#find(`/v1/images/${path}:${tag}`, ImageAnswer, options, query))?.data;
  }

  /** @throws DomainError `not_found` with reason `image_not_found` */
  async image(path: ImagePath, options: CallOptions = {}): Promise<LibraryImage> {
    const found = await this.findImage(path, options);
    if (found) return found;
    const arch = path.arch === undefined ? '' : ` for ${path.arch}`;
    throw new DomainError(
      'not_found',
      `The image ${path.path}:${path.tag} does not exist in the library${arch}`,
      {
        reason: 'image_not_found',
      },
    );
  }

  /** The container with its tags; undefined when there is none. */
  async findContainer(path: string, options: CallOptions = {}): Promise<LibraryContainer | undefined> {
    return (await this.#find(`/v1/containers/${path}`, ContainerAnswer, options))?.data;
  }

  /** Finds the container, or makes what is missing on the way to it. */
  async ensureContainer(
    place: { readonly entity: string; readonly collection: string; readonly container: string },
    options: CallOptions = {},
  ): Promise<LibraryContainer> {
    const { entity, collection, container } = place;
    const inEntity =
      (await this.#find(`/v1/entities/${entity}`, EntityAnswer, options)) ??
      (await this.#create(
        '/v1/entities',
        { name: entity, description: NO_DESCRIPTION },
        EntityAnswer,
        options,
      ));
    const inCollection =
      (await this.#find(`/v1/collections/${entity}/${collection}`, CollectionAnswer, options)) ??
      (await this.#create(
        '/v1/collections',
        { name: collection, description: NO_DESCRIPTION, entity: inEntity.data.id },
        CollectionAnswer,
        options,
      ));
    return (
      (await this.findContainer(`${entity}/${collection}/${container}`, options)) ??
      (
        await this.#create(
          '/v1/containers',
          { name: container, description: NO_DESCRIPTION, collection: inCollection.data.id },
          ContainerAnswer,
          options,
        )
      ).data
    );
  }

  async createImage(
    image: { readonly hash: string; readonly container: string; readonly description: string },
    options: CallOptions = {},
  ): Promise<LibraryImage> {
    return (await this.#create('/v1/images', image, ImageAnswer, options)).data;
  }

  /** `{arch: {tag: image id}}` of a container, by its id. */
  async tags(container: string, options: CallOptions = {}): Promise<Record<string, Record<string, string>>> {
    return (await this.http.getJson(`/v2/tags/${container}`, ArchTagsAnswer, signalOf(options))).data ?? {};
  }

  /** Sets or moves a tag; without an architecture by the first protocol. */
  async setTag(
    container: string,
    tag: { readonly tag: string; readonly image: string; readonly arch?: string },
    options: CallOptions = {},
  ): Promise<void> {
    const body = { ...(tag.arch === undefined ? {} : { Arch: tag.arch }), Tag: tag.tag, ImageID: tag.image };
    const answer = await this.http.request({
      method: 'POST',
      url: `/${tag.arch === undefined ? 'v1' : 'v2'}/tags/${container}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      // Setting a tag to what it is changes nothing.
      repeatable: true,
      accept: [200],
      ...signalOf(options),
    });
    await answer.discard();
  }

  /** Deletes an image with all its tags. @throws ResponseError 401, 403, 404 */
  async delete({ path, tag, arch }: ImagePath, options: CallOptions = {}): Promise<void> {
    const answer = await this.http.request({
      method: 'DELETE',
      url: `/v1/images/${path}:${tag}`,
      query: { arch },
      accept: [200, 204],
      // The second attempt would find nothing and look like a failure.
      repeatable: false,
      ...signalOf(options),
    });
    await answer.discard();
  }

  /**
   * Finds by a part of a name or the beginning of a word (three characters or more). With `arch`, `signed` or `signer` only images are
   * searched.
   * @param text '' for all that a key has signed
   * @returns with `more` where the library has more than it tells, and what the next page is asked for with
   */
  async search(text: string, query: SearchFilters = {}, options: CallOptions = {}): Promise<FoundPage> {
    const { signed, private: isPrivate, ...rest } = query;
    const parameters = {
      value: text === '' ? undefined : text,
      ...rest,
      signed: signed === undefined ? undefined : String(signed),
      private: isPrivate === undefined ? undefined : String(isPrivate),
    };
    const request = { query: parameters, ...signalOf(options) };
    const { data, more, cut, page } = await this.http.getJson('/v1/search', SearchAnswer, request);
    return { ...data, more, cut, next: page?.next };
  }

  async #find<S extends z.ZodType>(
    url: string,
    schema: S,
    options: CallOptions,
    query: Readonly<Record<string, string | undefined>> = {},
  ): Promise<z.output<S> | undefined> {
    const answer = await this.http.request({ url, query, accept: [200, 404], ...signalOf(options) });
    if (answer.status === 200) return answer.json(schema);
    await answer.discard();
    return undefined;
  }

  /** Creating the same again finds it, so it may be repeated. */
  async #create<S extends z.ZodType>(
    url: string,
    value: object,
    schema: S,
    options: CallOptions,
  ): Promise<z.output<S>> {
    return this.http.sendJson('POST', url, value, schema, {
      repeatable: true,
      accept: [200, 201],
      ...signalOf(options),
    });
  }

  /**
   * "The library client ignores the HTTP status and reads only the body" (library contract §2.4). Without the token, which nobody
   * needs for this: one that is good for the library alone is refused here, and a refusal looks like a server of the first protocol.
   */
  async #apiVersion(options: CallOptions): Promise<string | undefined> {
    const answer = await this.http
      .request({ url: '/version', authorize: false, ...signalOf(options) })
      .catch((error: unknown) => {
        if (error instanceof DomainError && error.code !== 'unavailable') return undefined;
        throw error;
      });
    const parsed = answer && VersionAnswer.safeParse(await answer.json(VersionAnswer).catch(() => undefined));
    return parsed?.success === true ? parsed.data.data.apiVersion : undefined;
  }
}

function signalOf({ signal }: CallOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
