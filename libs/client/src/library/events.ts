import { setTimeout as delay } from 'node:timers/promises';
import { LibraryEvent } from '#libs/contract';
import { DomainError } from '#libs/core';
import { type EventBlock, eventBlocks } from '../http/event-source.js';
import { parseJson, ResponseError } from '../http/failures.js';
import type { HttpClient } from '../http.js';

/** Milliseconds before the server is asked again where it does not say, and after it was away for longer. */
const RETRY = { first: 3000, longest: 30_000 } as const;

/** An event, or `reset`: more has happened than the library remembers, and what happens from now on is told again. */
export type ToldEvent = LibraryEvent | 'reset';

export interface FollowOptions {
  /** Name of an entity; everything that the caller may read when absent. */
  readonly entity?: string | undefined;
  readonly signal: AbortSignal;
  /** The library tells: nothing that happens from now on is missed. At the beginning, and after every break. */
  readonly onOpen?: () => void;
  /** The library is away, and is asked again. Once for each break. */
  readonly onAway?: (error: DomainError) => void;
}

/**
 * What happens in a library of ours, without end: after a break it goes on where it was, and nothing comes twice.
 * @throws DomainError when the library refuses, or is not there in the beginning; the reason of the signal
 */
export async function* followEvents(http: HttpClient, options: FollowOptions): AsyncGenerator<ToldEvent> {
  const { signal } = options;
  let last: string | undefined;
  let retry: number = RETRY.first;
  for (let failures = 0; ;) {
    let failure: DomainError | undefined;
    try {
      for await (const block of connect(http, options, last)) {
        failures = 0;
        last = block.id ?? last;
        retry = Math.min(block.retry ?? retry, RETRY.longest);
        if (block.data !== undefined) yield toldBy(block);
      }
    } catch (error) {
      signal.throwIfAborted();
      // Without a place to go on from nobody was told anything, and the person can see to it.
      if (!(error instanceof DomainError) || last === undefined || isRefusal(error)) throw error;
      failure = error;
    }
    if (failure !== undefined) {
      failures += 1;
      if (failures === 1) options.onAway?.(failure);
    }
    const asked = (failure?.retryAfter ?? 0) * 1000;
    const wait = Math.max(asked, Math.min(retry * 2 ** Math.max(failures - 1, 0), RETRY.longest));
    await delay(wait, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }
}

/** One connection, until it ends. */
async function* connect(
  http: HttpClient,
  { entity, signal, onOpen }: FollowOptions,
  last: string | undefined,
): AsyncGenerator<EventBlock> {
  const answer = await http.request({
    url: '/v1/events',
    query: { entity },
    headers: { accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': last }) },
    signal,
  });
  if (answer.header('content-type')?.startsWith('text/event-stream') !== true) {
    await answer.discard();
    throw noEvents();
  }
  let isOpen = false;
  for await (const block of eventBlocks(answer.chunks())) {
    if (!isOpen) onOpen?.();
    isOpen = true;
    yield block;
  }
}

/** Asking again would be refused again; who comes too often may come later. */
function isRefusal(error: DomainError): boolean {
  if (error.reason === 'bad_answer') return true;
  return error instanceof ResponseError && error.httpStatus < 500 && error.httpStatus !== 429;
}

/** @throws DomainError `unavailable` for what is no event */
function toldBy({ event, data = '' }: EventBlock): ToldEvent {
  if (event === 'reset') return 'reset';
  const parsed = LibraryEvent.safeParse(parseJson(data));
  if (parsed.success) return parsed.data;
  throw noEvents();
}

function noEvents(): DomainError {
  return new DomainError('unavailable', 'The library tells no events, or other ones than expected', {
    reason: 'bad_answer',
    remedy: 'Events come from libraries of this project; an update of sing may help.',
  });
}
