import { type Digest, DomainError, expected, hexOf } from '#libs/core';

/*
 * The layout of a blob store, the same for every driver. All keys are made here.
 *
 *   sha256/<first 2 hex digits>/<64 hex digits>   a committed blob: complete, checked, durable
 *   incoming/upload-<id>                          the bytes of an upload that its owner remembers in a document
 *   incoming/stream-<id>                          the bytes of a writer that only this process remembers
 */
declare const brand: unique symbol;

/** The key of a committed blob. */
export type BlobKey = string & { readonly [brand]: 'BlobKey' };
/** The key of bytes that are not committed. */
export type TemporaryKey = string & { readonly [brand]: 'TemporaryKey' };

/** The folder of everything that is not committed. */
export const INCOMING = 'incoming';
const ID = /^[a-z0-9]{1,64}$/;
const TEMPORARY = /^incoming\/(upload|stream)-([a-z0-9]{1,64})$/;

export function blobKey(digest: Digest): BlobKey {
  const hex = hexOf(digest);
  return `sha256/${hex.slice(0, 2)}/${hex}` as BlobKey;
}

/** @throws DomainError `bad_request` for an id that could be more than one path component */
export function temporaryKey(kind: 'upload' | 'stream', id: string): TemporaryKey {
  if (!ID.test(id))
    throw new DomainError('bad_request', expected('an id of letters and digits', 'an upload', id));
  return `${INCOMING}/${kind}-${id}` as TemporaryKey;
}

/** Takes a key of {@link temporaryKey} apart; undefined for anything else. */
export function readTemporaryKey(
  key: string,
): { readonly key: TemporaryKey; readonly kind: 'upload' | 'stream'; readonly id: string } | undefined {
  const match = TEMPORARY.exec(key);
  const id = match?.[2];
  if (id === undefined) return undefined;
  return { key: key as TemporaryKey, kind: match?.[1] === 'upload' ? 'upload' : 'stream', id };
}
