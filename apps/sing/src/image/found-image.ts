import type { Digest } from '#libs/core';
import type { ContentType } from '../cache/store.js';
import type { RegistryAccess } from '../registry/flags.js';
import type { Target } from './transfers.js';

export interface FetchRequest {
  /** `library://…`, `oras://…`, `https://…` */
  readonly reference: string;
  readonly library: string | undefined;
  readonly arch: string | undefined;
  readonly useCache: boolean;
  /** Also says whether TLS is wanted. */
  readonly access: RegistryAccess;
}

export interface Fetched {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Undefined when nobody has said it: then it is in the image. */
  readonly arch: string | undefined;
  /** Whether it was in the cache: nothing was transferred. */
  readonly cached: boolean;
}

/** An image that was found by its name; its hash is known before it is fetched. */
export interface FoundImage {
  /** Its place in the cache. */
  readonly type: ContentType;
  readonly digest: Digest;
  readonly size: number;
  readonly arch: string | undefined;
  /** Fetches it to a file that appears whole or not at all, and checks its hash. */
  download(target: Target): Promise<void>;
}
