import type { S3Object } from './stream.js';

/** A piece of uncommitted bytes in the store. */
export interface StoredPiece extends S3Object {
  /** Its place in the whole. */
  readonly start: number;
}

/** Says, where a blob was made of several pieces, that it is there: the pieces are waste from then on. */
const STORED = 'stored';
const START = /^[0-9]{16}$/;

/** The key of the piece that begins at `start`: in the order of the places. */
export function pieceKey(folder: string, start: number): string {
  return `${folder}/${String(start).padStart(16, '0')}`;
}

export function storedKey(folder: string): string {
  return `${folder}/${STORED}`;
}

/** Where the piece of a key begins; undefined for any other key. */
export function startOf(key: string): number | undefined {
  const name = key.slice(key.lastIndexOf('/') + 1);
  return START.test(name) ? Number(name) : undefined;
}

/** Bytes up to the end of the last piece. */
export function sizeOfPieces(pieces: readonly StoredPiece[]): number {
  return pieces.reduce((size, piece) => Math.max(size, piece.start + piece.size), 0);
}

/** Whether the pieces follow each other without gap and overlap. */
export function areWhole(pieces: readonly StoredPiece[]): boolean {
  let end = 0;
  for (const { start, size } of pieces) {
    if (start !== end) return false;
    end += size;
  }
  return pieces.length > 0;
}
