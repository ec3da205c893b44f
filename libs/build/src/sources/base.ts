import type { RootTree } from '#libs/core';
import type { Header } from '#libs/deffile';
import type { BuildLog } from '../log.js';

/** Fetches the image that a `library` base names and returns the path of a SIF file whose digest was checked. */
export type PullBase = (
  reference: string,
  library: string | undefined,
  signal: AbortSignal | undefined,
) => Promise<string>;

export interface BaseRequest {
  readonly header: Header;
  readonly tree: RootTree;
  /** A directory of this build for what must be unpacked on the way. */
  readonly workFolder: string;
  /** Undefined: this build cannot reach a library. */
  readonly pull: PullBase | undefined;
  /** Whether bases may be files of the machine that builds: never so in a remote build (builder contract §9.4). */
  readonly localFiles: boolean;
  readonly architecture: string;
  readonly log: BuildLog;
  readonly signal: AbortSignal | undefined;
}

/** What a base brings besides its files. */
export interface Base {
  /** The skeleton's files that it has are kept (definition contract §9). */
  readonly keepSkeleton: boolean;
  /** The OCI image configuration (`config` object) to store in the image. */
  readonly ociConfig: string | undefined;
  /** Writes what the agent puts over the skeleton. */
  readonly finish: (() => Promise<void>) | undefined;
}
