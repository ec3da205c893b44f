import { CopyObjectCommand, UploadPartCopyCommand } from '@aws-sdk/client-s3';
import { failureOf } from './failures.js';
import { S3_LIMITS } from './limits.js';
import { sizeOfPieces, type StoredPiece } from './pieces.js';
import type { S3Space } from './space.js';
import { S3Stream } from './stream.js';
import { changed } from './temporary.js';
import { type BegunUploads, Multipart, S3Writer } from './writer.js';

const CHANGED = 'PreconditionFailed';
const OPTIONS = { isLong: true, known: [CHANGED] };

/** What is copied at once. */
interface Copy {
  readonly piece: StoredPiece;
  /** The last byte is included. */
  readonly range: { readonly start: number; readonly end: number };
}

/**
 * Makes one object of pieces that follow each other, in the store itself: it appears whole or not at all. A piece that is not
 * any more what it was makes it fail.
 * @param most bytes that are copied at once
 */
export async function joinPieces(
  space: S3Space,
  begun: BegunUploads,
  pieces: readonly StoredPiece[],
  to: string,
  most = S3_LIMITS.copy,
): Promise<void> {
  const total = pieces.reduce((sum, { size }) => sum + size, 0);
  const [first] = pieces;
  try {
    if (first !== undefined && pieces.length === 1 && total <= most) await copyWhole(space, first, to);
    else if (pieces.slice(0, -1).every(({ size }) => size >= S3_LIMITS.smallestPart))
      await copyParts(space, begun, copiesOf(pieces, most), { to, total });
    else await writeAnew(space, begun, pieces, { to, total });
  } catch (error) {
    throw failureOf(error).code === CHANGED ? changed() : error;
  }
}

async function copyWhole(space: S3Space, { key, etag }: StoredPiece, to: string): Promise<void> {
  await space.send(
    new CopyObjectCommand({ ...space.at(to), CopySource: space.sourceOf(key), CopySourceIfMatch: etag }),
    OPTIONS,
  );
}

/** Ranges that a store copies in reasonable time, all but the last one large enough for S3, and not too many of them. */
export function copiesOf(pieces: readonly StoredPiece[], wanted: number): Copy[] {
  const total = sizeOfPieces(pieces);
  const most = Math.max(wanted, 2 * Math.ceil(total / S3_LIMITS.parts));
  return pieces.flatMap((piece) => {
    const count = Math.max(1, Math.ceil(piece.size / most));
    const length = Math.ceil(piece.size / count);
    return Array.from({ length: count }, (_, index) => ({
      piece,
      range: { start: index * length, end: Math.min((index + 1) * length, piece.size) - 1 },
    }));
  });
}

async function copyParts(
  space: S3Space,
  begun: BegunUploads,
  copies: readonly Copy[],
  { to, total }: { readonly to: string; readonly total: number },
): Promise<void> {
  const multipart = await Multipart.begin(space, begun, to);
  try {
    const waiting = [...copies.entries()];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [index, { piece, range }] = next;
        const { CopyPartResult } = await space.send(
          new UploadPartCopyCommand({
            ...space.at(to),
            UploadId: multipart.id,
            PartNumber: index + 1,
            CopySource: space.sourceOf(piece.key),
            CopySourceIfMatch: piece.etag,
            ...(range.end - range.start + 1 === piece.size
              ? {}
              : { CopySourceRange: `bytes=${range.start}-${range.end}` }),
          }),
          OPTIONS,
        );
        multipart.has(index + 1, CopyPartResult?.ETag);
      }
    };
    const workers = Array.from({ length: S3_LIMITS.copiesAtOnce }, worker);
    const results = await Promise.allSettled(workers);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    await multipart.complete(total);
  } catch (error) {
    // What cannot be given up now is left to whoever tidies.
    await multipart.abort().catch(() => undefined);
    throw error;
  }
}

/** Pieces that are too small for the parts of S3 go through this process. Libraries make none. */
async function writeAnew(
  space: S3Space,
  begun: BegunUploads,
  pieces: readonly StoredPiece[],
  { to, total }: { readonly to: string; readonly total: number },
): Promise<void> {
  const writer = new S3Writer(space, begun, to, total);
  try {
    const buffer = Buffer.allocUnsafe(S3_LIMITS.smallestPart);
    for (const piece of pieces) {
      const stream = new S3Stream(space, piece);
      for (let at = 0; at < piece.size;) {
        const count = await stream.read(buffer, at);
        await writer.write([buffer.subarray(0, count)]);
        at += count;
      }
      stream.close();
    }
    await writer.keep();
  } catch (error) {
    await writer.drop().catch(() => undefined);
    throw error;
  }
}
