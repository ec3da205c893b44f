import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { DomainError } from '#libs/core';

/** Times in milliseconds. */
export interface EventStreamLimits {
  /** Who listens at the same time, in all and of one client. */
  readonly streams: number;
  readonly perClient: number;
  /** Silence after which a stream says that it is still there. */
  readonly heartbeatMs: number;
  /** Those times after which a stream ends, so that its client asks anew. */
  readonly beats: number;
  /** A client that takes nothing for so long is cut off. */
  readonly idleMs: number;
  /** How often it is looked at what wakes nobody by itself. */
  readonly pollMs: number;
}

export interface EventStreamsOptions {
  readonly limits: EventStreamLimits;
  /** What a client gets when too many listen. */
  readonly tooMany: () => DomainError;
  /** Looks whether there may be something new, while anybody listens: for what other processes do. Undefined: nobody else does. */
  readonly poll?: (() => Promise<boolean>) | undefined;
}

/** What one stream is asked before its next turn. */
export interface Turn {
  /** Nothing was sent for a beat: it is time to say that the stream is still there. */
  readonly silent: boolean;
  /** Resolves when there may be something new, at every beat, and at the end. */
  readonly woken: Promise<void>;
}

/** One client that listens. */
export interface OpenStream {
  readonly isOpen: boolean;
  /** Made before anything is read: what comes in between is not waited for in vain. */
  turn(): Turn;
  /** Resolves when there is room for more. */
  write(text: string): Promise<void>;
}

/** Server-sent events for many clients at once: bounded, alive, ended in time, and no slow reader in the way of others. */
export class EventStreams {
  readonly #options: EventStreamsOptions;
  readonly #streams = new Set<Stream>();
  #beat: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(options: EventStreamsOptions) {
    this.#options = options;
  }

  /** How many listen. */
  get open(): number {
    return this.#streams.size;
  }

  /** There may be something new for all of them. */
  wake(): void {
    for (const stream of this.#streams) stream.wake();
  }

  /** They have no end of their own; the server would wait for them. */
  close(): void {
    this.#closing = true;
    for (const stream of this.#streams) stream.end();
  }

  /**
   * Lets a client listen until it goes away, `follow` is over, the server stops, or its beats are: then it asks again, and its token
   * is looked at again.
   * @param client who is counted as one: a network, an account
   * @param follow gets what `prepare` made before the head of the answer was sent
   * @param hasEnded asked at every poll: whether who listens may not any more
   * @throws DomainError of `tooMany`, and whatever `prepare` throws
   */
  async serve<T>(
    reply: FastifyReply,
    client: string,
    parts: {
      readonly prepare: () => Promise<T>;
      readonly follow: (stream: OpenStream, prepared: T) => Promise<void>;
      readonly hasEnded?: () => boolean;
    },
  ): Promise<void> {
    // Counted before anything is waited for: whoever asks a thousand times at once would be let in every time.
    const stream = this.#enter(client, parts.hasEnded);
    try {
      const prepared = await parts.prepare();
      stream.begin(reply);
      await parts.follow(stream, prepared);
    } catch (error) {
      if (stream.isOpen) throw error;
    } finally {
      stream.close();
      this.#remove(stream);
    }
  }

  #enter(client: string, hasEnded: (() => boolean) | undefined): Stream {
    const { limits, tooMany } = this.#options;
    const mine = [...this.#streams].filter((stream) => stream.client === client).length;
    if (this.#streams.size >= limits.streams || mine >= limits.perClient) throw tooMany();
    const stream = new Stream(client, limits, hasEnded);
    if (this.#closing) stream.end();
    this.#streams.add(stream);
    this.#beat ??= setInterval(() => this.#beatAll(), limits.heartbeatMs).unref();
    this.#poll ??= setInterval(() => void this.#look(), limits.pollMs).unref();
    return stream;
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
    for (const stream of this.#streams) stream.beat();
  }

  async #look(): Promise<void> {
    for (const stream of this.#streams) if (stream.hasEnded?.() === true) stream.end();
    try {
      if ((await this.#options.poll?.()) === true) this.wake();
    } catch {
      // The streams read by themselves, and say so if they cannot.
    }
  }
}

class Stream implements OpenStream {
  readonly client: string;
  readonly hasEnded: (() => boolean) | undefined;
  readonly #limits: EventStreamLimits;
  readonly #end = new AbortController();
  #response: ServerResponse | undefined;
  #wake: () => void = () => undefined;
  #sent = true;
  #silent = false;
  #beatsLeft: number;

  constructor(client: string, limits: EventStreamLimits, hasEnded: (() => boolean) | undefined) {
    this.client = client;
    this.hasEnded = hasEnded;
    this.#limits = limits;
    this.#beatsLeft = limits.beats;
    this.#end.signal.addEventListener('abort', () => this.wake(), { once: true });
  }

  get isOpen(): boolean {
    return !this.#end.signal.aborted;
  }

  wake(): void {
    this.#wake();
  }

  end(): void {
    this.#end.abort();
  }

  beat(): void {
    this.#silent = !this.#sent;
    this.#sent = false;
    this.#beatsLeft -= 1;
    if (this.#beatsLeft <= 0) this.end();
    this.wake();
  }

  turn(): Turn {
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    const silent = this.#silent;
    this.#silent = false;
    if (!this.isOpen) this.wake();
    return { silent, woken };
  }

  begin(reply: FastifyReply): void {
    reply.hijack();
    const response = reply.raw;
    this.#response = response;
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) response.setHeader(name, value);
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Proxies that hold answers back until they are whole would hold this one back for ever.
      'x-accel-buffering': 'no',
    });
    response.once('close', () => this.end());
    if (response.closed) this.end();
  }

  /** A client that takes nothing for too long is cut off. */
  async write(text: string): Promise<void> {
    const { signal } = this.#end;
    const response = this.#response;
    this.#sent = true;
    if (response === undefined || signal.aborted || response.write(text)) return;
    response.setTimeout(this.#limits.idleMs, () => response.destroy());
    try {
      await once(response, 'drain', { signal });
    } finally {
      response.setTimeout(0);
    }
  }

  close(): void {
    this.#response?.end();
  }
}
