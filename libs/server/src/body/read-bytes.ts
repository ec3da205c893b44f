import type { IncomingMessage } from 'node:http';
import { DomainError } from '#libs/core';

/**
 * Reads a whole body into memory, at most `limit` bytes of it. A longer one is refused as soon as that is known:
 * by its Content-Length before anything is read, otherwise at the first byte too many.
 * @throws DomainError `too_large`; `bad_request` when the client stops in the middle
 */
export async function readBytes(stream: IncomingMessage | undefined, limit: number): Promise<Buffer> {
  if (stream === undefined) return Buffer.alloc(0);
  if (Number(stream.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  const chunks: Buffer[] = [];
  let size = 0;
  await new Promise<void>((resolve, reject) => {
    const stop = (error?: Error): void => {
      stream.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
      stream.pause();
      if (error === undefined) resolve();
      else reject(error);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limit) stop(tooLarge(limit));
      else chunks.push(chunk);
    };
    const onEnd = (): void => stop();
    const onCut = (): void =>
      stop(new DomainError('bad_request', 'The body ended early', { reason: 'body_incomplete' }));
    if (stream.destroyed && !stream.readableEnded) onCut();
    else stream.on('data', onData).once('end', onEnd).once('error', onCut).once('close', onCut);
  });
  return Buffer.concat(chunks, size);
}

function tooLarge(limit: number): DomainError {
  return new DomainError('too_large', `Expected a body of at most ${limit} bytes`, {
    reason: 'body_too_large',
  });
}
