import type { IncomingMessage } from 'node:http';
import { DomainError, expected, releaseBuffer } from '#libs/core';
import { STREAM_LIMITS } from './limits.js';

/** Takes the bytes of a body, in order. */
export interface ByteSink {
  /** Called again only when it has settled. Until then nobody changes the chunks; afterwards they are empty. */
  write(chunks: readonly Buffer[]): Promise<void>;
}

export interface ReceiveOptions {
  /** Bytes that are taken at most. */
  readonly limit: number;
  /** Stops receiving: the body is of no use any more. */
  readonly signal?: AbortSignal;
}

/** Bytes of all uploads that wait for their sinks, or are with them. */
let together = 0;

/** How much a sink gets at once. */
function batchSize(): number {
  return together > STREAM_LIMITS.waitingTogether
    ? STREAM_LIMITS.crowdedBatchBytes
    : STREAM_LIMITS.batchBytes;
}

/**
 * Reads the body of a request into a sink, in batches of about 1 MiB, smaller ones when many send at once: the sink works on one while
 * the next arrives. A sender that is faster than the sink is slowed down. Says how many bytes there were.
 * @throws DomainError `too_large` beyond the limit; `bad_request` (`body_incomplete`) when the client stops in the middle;
 *   whatever the sink throws; the signal's reason
 */
export async function receiveBody(
  request: IncomingMessage,
  sink: ByteSink,
  options: ReceiveOptions,
): Promise<number> {
  const { limit, signal } = options;
  signal?.throwIfAborted();
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let total = 0;
  let ended = false;
  let writing = false;
  let over = false;
  const { promise, resolve, reject } = Promise.withResolvers<void>();

  const due = (): boolean => waitingBytes >= batchSize() || (ended && waitingBytes > 0);
  const pump = async (): Promise<void> => {
    writing = true;
    while (due()) {
      const batch = waiting;
      const bytes = waitingBytes;
      waiting = [];
      waitingBytes = 0;
      if (request.isPaused()) request.resume();
      await sink.write(batch).finally(() => {
        together -= bytes;
        batch.forEach(releaseBuffer);
      });
    }
    writing = false;
    // What is a batch may have become more meanwhile.
    if (!over && request.isPaused()) request.resume();
    if (ended) resolve();
  };
  const turn = (): void => {
    if (!writing) pump().catch(reject);
  };
  const onData = (chunk: Buffer): void => {
    total += chunk.length;
    if (total > limit) return reject(tooLarge(limit));
    waiting.push(chunk);
    waitingBytes += chunk.length;
    together += chunk.length;
    const batch = batchSize();
    if (waitingBytes >= STREAM_LIMITS.waitingBatches * batch) request.pause();
    if (waitingBytes >= batch) turn();
  };
  const onEnd = (): void => {
    ended = true;
    turn();
  };
  const onCut = (): void => {
    if (!ended) reject(new DomainError('bad_request', 'The body ended early', { reason: 'body_incomplete' }));
  };
  const onAbort = (): void => reject(signal?.reason as Error);

  if (request.destroyed && !request.readableEnded) onCut();
  else request.on('data', onData).once('end', onEnd).on('error', onCut).once('close', onCut);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
    return total;
  } finally {
    request.off('data', onData).off('end', onEnd).off('close', onCut);
    signal?.removeEventListener('abort', onAbort);
    request.pause();
    over = true;
    together -= waitingBytes;
    waiting = [];
    waitingBytes = 0;
  }
}

function tooLarge(limit: number): DomainError {
  return new DomainError('too_large', expected(`at most ${limit} bytes`, 'the body', 'more'), {
    reason: 'body_too_large',
  });
}
