import { type Digest, digestFromHex, DomainError, expected, hexOf } from '#libs/core';

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
/** The folder of all committed blobs. */
export const COMMITTED = 'sha256';
const BLOB = /^sha256\/([0-9a-f]{2})\/(\1[0-9a-f]{62})$/;
const ID = /^[a-z0-9]{1,64}$/;
const TEMPORARY = /^incoming\/(upload|stream)-([a-z0-9]{1,64})$/;

export function blobKey(digest: Digest): BlobKey {
  const hex = hexOf(digest);
  return `${COMMITTED}/${hex.slice(0, 2)}/${hex}` as BlobKey;
}

/** What a key of {@link blobKey} names; undefined for anything else that lies in a store. */
export function readBlobKey(key: string): Digest | undefined {
  const hex = BLOB.exec(key)?.[2];
  return hex === undefined ? undefined : digestFromHex(hex);
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
