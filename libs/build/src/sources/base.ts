import type { RootTree } from '#libs/core';
import type { Header } from '#libs/deffile';
import type { VerifyResult } from '#libs/signing';
import type { BuildLog } from '../log.js';

/** Fetches the image that a `library` base names and returns the path of a SIF file whose digest was checked. */
export type PullBase = (
  reference: string,
  library: string | undefined,
  signal: AbortSignal | undefined,
) => Promise<string>;

/** The bases of a definition that were brought to where the enclosed build may read them, by {@link baseKey}. */
export type FetchedBases = Readonly<Record<string, string>>;

/**
 * Verifies the signatures of an image that is going to be a base; which keys it may know is for the one who builds. What is not
 * `required` is only looked at: nobody waits long for that.
 */
export type VerifyBase = (
  path: string,
  options: { readonly required: boolean; readonly signal: AbortSignal | undefined },
) => Promise<VerifyResult>;

/**
 * What a base is known by: the same reference at another library is another image (CVE-2021-32635), and one that others must have
 * signed is looked at on its own. Never a word that every object has.
 */
export function baseKey(header: Header): string {
  const keys = ['bootstrap', 'from', 'library', 'fingerprints'];
  return JSON.stringify(keys.map((key) => header.get(key) ?? ''));
}

export interface BaseRequest {
  readonly header: Header;
  readonly tree: RootTree;
  /** A base that is a file and is not here may not be used: never a file of the machine that builds remotely (builder contract §9.4). */
  readonly bases: FetchedBases;
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
