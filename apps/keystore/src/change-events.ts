import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { KeyChange } from '#libs/contract';
import { DomainError } from '#libs/core';
import { networkOf } from '#libs/server';
import { CertificatesStore } from './certificates.store.js';
import { type ChangesPage, ChangesStore } from './changes.store.js';
import { LIMITS } from './limits.js';

interface Stream {
  /** Of its address: of IPv6 a /64 (ADR 15). */
  readonly network: string;
  readonly end: AbortController;
  /** Lets it look whether there is something for it. */
  wake: () => void;
  /** Whether something was sent since the last beat, and whether it is to say that it is still there. */
  sent: boolean;
  silent: boolean;
  /** Beats until it ends. */
  beatsLeft: number;
}

/**
 * The feed as server-sent events: whoever listens gets every change, in order, from the number that they name on. All of them
 * wait for the same change and share its reading.
 */
@Injectable()
export class ChangeEvents implements BeforeApplicationShutdown {
  readonly #streams = new Set<Stream>();
  readonly #readings = new Map<number, Promise<ChangesPage>>();
  #beat: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;
  #seen = 0;
  #closing = false;

  constructor(
    private readonly changes: ChangesStore,
    certificates: CertificatesStore,
  ) {
    certificates.onChange(() => this.#changed());
  }

  /** How many listen. */
  get open(): number {
    return this.#streams.size;
  }

  /** They have no end of their own; the server would wait for them. */
  beforeApplicationShutdown(): void {
    this.#closing = true;
    for (const { end } of this.#streams) end.abort();
  }

  /**
   * Sends changes until the client goes away, the server stops, or an hour is over: then it asks again, and its token is looked at again.
   * @param after the number of the last change that the client has; undefined: only what is still to come
   * @throws DomainError `too_many_requests` when so many listen already, in all or from this address
   */
  async send(reply: FastifyReply, address: string, after: number | undefined): Promise<void> {
    // Counted before anything is waited for: whoever asks a thousand times at once would be let in every time.
    const stream = this.#enter(networkOf(address));
    try {
      const from = after ?? (await this.changes.head());
      await this.#send(begin(reply), from, stream);
    } finally {
      this.#remove(stream);
    }
  }

  async #send(response: ServerResponse, from: number, stream: Stream): Promise<void> {
    const { end } = stream;
    const { signal } = end;
    response.once('close', () => end.abort());
    if (response.closed) end.abort();
    try {
      // An id without data: where to go on if nothing comes before the connection breaks.
      await write(response, signal, `retry: ${LIMITS.eventRetryMs}\nid: ${from}\n\n`);
      await this.#follow(response, from, stream);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      response.end();
    }
  }

  async #follow(response: ServerResponse, from: number, stream: Stream): Promise<void> {
    const { signal } = stream.end;
    for (let at = from; !signal.aborted;) {
      // Made before the feed is read: what comes in between is not waited for in vain.
      const woken = new Promise<void>((resolve) => (stream.wake = resolve));
      const { changes, next, more } = await this.#read(at);
      at = next;
      if (changes.length > 0) {
        await write(response, signal, changes.map(eventOf).join(''));
        stream.sent = true;
      } else if (stream.silent) await write(response, signal, ': still here\n\n');
      stream.silent = false;
      if (!more && !signal.aborted) await woken;
    }
  }

  /** Those that are at the same place share a reading that was begun after the last change. */
  #read(at: number): Promise<ChangesPage> {
    const known = this.#readings.get(at);
    if (known !== undefined) return known;
    const reading = this.changes.after(at, LIMITS.eventsAtOnce).finally(() => {
      if (this.#readings.get(at) === reading) this.#readings.delete(at);
    });
    this.#readings.set(at, reading);
    return reading;
  }

  #changed(): void {
    this.#readings.clear();
    for (const { wake } of this.#streams) wake();
  }

  #enter(network: string): Stream {
    this.#requireRoom(network);
    const end = new AbortController();
    const stream: Stream = {
      network,
      end,
      wake: () => undefined,
      sent: true,
      silent: false,
      beatsLeft: LIMITS.eventBeats,
    };
    end.signal.addEventListener('abort', () => stream.wake(), { once: true });
    if (this.#closing) end.abort();
    this.#add(stream);
    return stream;
  }

  #requireRoom(network: string): void {
    const mine = [...this.#streams].filter((stream) => stream.network === network).length;
    if (this.#streams.size < LIMITS.eventStreams && mine < LIMITS.eventStreamsPerAddress) return;
    throw new DomainError('too_many_requests', 'Too many listen to the changes of keys already', {
      reason: 'too_many_streams',
      remedy: 'Ask for /v1/keys/changes from time to time.',
      retryAfter: 60,
    });
  }

  #add(stream: Stream): void {
    this.#streams.add(stream);
    this.#beat ??= setInterval(() => this.#beatAll(), LIMITS.heartbeatMs).unref();
    // Other processes change certificates too, and cannot wake anybody here.
    if (this.changes.shared) this.#poll ??= setInterval(() => void this.#look(), LIMITS.feedPollMs).unref();
  }

  #remove(stream: Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    clearInterval(this.#beat);
    clearInterval(this.#poll);
    this.#beat = undefined;
    this.#poll = undefined;
  }

  #beatAll(): void {
    for (const stream of this.#streams) {
      stream.silent = !stream.sent;
      stream.sent = false;
      stream.beatsLeft -= 1;
      if (stream.beatsLeft <= 0) stream.end.abort();
      stream.wake();
    }
  }

  async #look(): Promise<void> {
    try {
      const head = await this.changes.head();
      if (head !== this.#seen) this.#changed();
      this.#seen = head;
    } catch {
      // The streams read by themselves, and say so if they cannot.
    }
  }
}

function begin(reply: FastifyReply): ServerResponse {
  reply.hijack();
  const response = reply.raw;
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) response.setHeader(name, value);
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Proxies that hold answers back until they are whole would hold this one back for ever.
    'x-accel-buffering': 'no',
  });
  return response;
}

const eventOf = (change: KeyChange): string =>
  `id: ${change.sequence}\nevent: change\ndata: ${JSON.stringify(change)}\n\n`;

/** Resolves when there is room for more. A client that takes nothing for too long is cut off. */
async function write(response: ServerResponse, signal: AbortSignal, text: string): Promise<void> {
  if (signal.aborted || response.write(text)) return;
  response.setTimeout(LIMITS.eventIdleMs, () => response.destroy());
  try {
    await once(response, 'drain', { signal });
  } finally {
    response.setTimeout(0);
  }
}
