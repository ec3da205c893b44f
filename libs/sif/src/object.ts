import { createHash } from 'node:crypto';
import { readExactly, SliceAccess, type ReadAccess } from './access/access.js';
import type { Descriptor } from './descriptor.js';
import { sifError } from './fault.js';
import { SIF_LIMITS } from './limits.js';
import type { SifImage } from './read.js';

/**
 * Why an object must not be used, or undefined. The image can still be listed and its other objects used (SIF contract
 * §6: "refuse that object").
 */
export function objectProblem(image: SifImage, descriptor: Descriptor): string | undefined {
  const { type, offset, size } = descriptor;
  if (type <= 0) return `its type ${type} does not exist`;
  if (size < 0n) return `its size ${size} is negative`;
  if (offset < 0n) return `its offset ${offset} is negative`;
  if (offset < BigInt(image.tableEnd)) return `its offset ${offset} lies in the header or the table`;
  if (offset + size > BigInt(image.access.size))
    return `it ends at ${offset + size}, behind the end of the file at ${image.access.size}`;
  return undefined;
}

/**
 * The data of an object, exactly `size` bytes at `offset`; nothing is read yet.
 * @throws DomainError `sif_invalid_object` when the object must not be used
 */
export function openObject(image: SifImage, descriptor: Descriptor): ReadAccess {
  const problem = objectProblem(image, descriptor);
  if (problem !== undefined)
    throw sifError('sif_invalid_object', `object ${descriptor.id} cannot be used: ${problem}`);
  return new SliceAccess(image.access, Number(descriptor.offset), Number(descriptor.size));
}

/**
 * The whole data of a small object.
 * @throws DomainError when the object must not be used or holds more than `limit` bytes
 */
export async function readObject(image: SifImage, descriptor: Descriptor, limit: number): Promise<Buffer> {
  const data = openObject(image, descriptor);
  if (data.size > limit)
    throw sifError(
      'sif_object_too_large',
      `Expected at most ${limit} bytes for object ${descriptor.id}, got ${data.size}`,
    );
  return readExactly(data, 0, data.size);
}

/**
 * The bytes of an access in order, in pieces of 1 MiB: the next piece is read while the last one is used. A piece is
 * only valid until the next one is asked for. Ends early when the file became shorter meanwhile.
 */
export async function* chunksOf(data: ReadAccess, signal?: AbortSignal): AsyncGenerator<Buffer, void, void> {
  const buffers = [pieceFor(data), pieceFor(data)] as const;
  const read = (index: number, offset: number) => {
    const buffer = buffers[index % 2 === 0 ? 0 : 1];
    const piece = buffer.subarray(0, Math.min(buffer.length, data.size - offset));
    const count = piece.length === 0 ? Promise.resolve(0) : data.readInto(piece, offset);
    // The failure is thrown where the piece is awaited; until then it must not count as unhandled.
    count.catch(() => undefined);
    return { piece, count };
  };
  let offset = 0;
  let next = read(0, 0);
  try {
    for (let index = 1; ; index += 1) {
      const { piece } = next;
      const count = await next.count;
      if (count === 0) return;
      signal?.throwIfAborted();
      offset += count;
      next = read(index, offset);
      yield piece.subarray(0, count);
    }
  } finally {
    // Whoever stops early may close the file: no read may still be under way then.
    await next.count.catch(() => undefined);
  }
}

function pieceFor(data: ReadAccess): Buffer {
  return Buffer.allocUnsafe(Math.min(SIF_LIMITS.chunkBytes, Math.max(data.size, 1)));
}

/** Digest of data that never has to fit into memory, as lower-case hex. */
export async function digestOf(
  data: ReadAccess,
  algorithm = 'sha256',
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of chunksOf(data, signal)) hash.update(chunk);
  return hash.digest('hex');
}
