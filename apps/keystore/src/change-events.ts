import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { KeyChange } from '#libs/contract';
import { DomainError } from '#libs/core';
import { EventStreams, networkOf, type OpenStream } from '#libs/server';
import { CertificatesStore } from './certificates.store.js';
import { type ChangesPage, ChangesStore } from './changes.store.js';
import { LIMITS } from './limits.js';

/**
 * The feed as server-sent events: whoever listens gets every change, in order, from the number that they name on. All of them
 * wait for the same change and share its reading.
 */
@Injectable()
export class ChangeEvents implements BeforeApplicationShutdown {
  readonly #streams: EventStreams;
  readonly #readings = new Map<number, Promise<ChangesPage>>();
  #seen = 0;

  constructor(
    private readonly changes: ChangesStore,
    certificates: CertificatesStore,
  ) {
    this.#streams = new EventStreams({
      limits: {
        streams: LIMITS.eventStreams,
        // Of its address: of IPv6 a /64 (ADR 15).
        perClient: LIMITS.eventStreamsPerAddress,
        heartbeatMs: LIMITS.heartbeatMs,
        beats: LIMITS.eventBeats,
        idleMs: LIMITS.eventIdleMs,
        pollMs: LIMITS.feedPollMs,
      },
      tooMany: () =>
        new DomainError('too_many_requests', 'Too many listen to the changes of keys already', {
          reason: 'too_many_streams',
          remedy: 'Ask for /v1/keys/changes from time to time.',
          retryAfter: 60,
        }),
      // Other processes change certificates too, and cannot wake anybody here.
      poll: changes.shared ? () => this.#look() : undefined,
    });
    certificates.onChange(() => this.#changed());
  }

  /** How many listen. */
  get open(): number {
    return this.#streams.open;
  }

  beforeApplicationShutdown(): void {
    this.#streams.close();
  }

  /**
   * Sends changes until the client goes away, the server stops, or an hour is over.
   * @param after the number of the last change that the client has; undefined: only what is still to come
   * @throws DomainError `too_many_requests` when so many listen already, in all or from this address
   */
  async send(reply: FastifyReply, address: string, after: number | undefined): Promise<void> {
    await this.#streams.serve(reply, networkOf(address), {
      prepare: async () => after ?? (await this.changes.head()),
      follow: (stream, from) => this.#follow(stream, from),
    });
  }

  async #follow(stream: OpenStream, from: number): Promise<void> {
    // An id without data: where to go on if nothing comes before the connection breaks.
    await stream.write(`retry: ${LIMITS.eventRetryMs}\nid: ${from}\n\n`);
    for (let at = from; stream.isOpen;) {
      const { silent, woken } = stream.turn();
      const { changes, next, more } = await this.#read(at);
      at = next;
      if (changes.length > 0) await stream.write(changes.map(eventOf).join(''));
      else if (silent) await stream.write(': still here\n\n');
      if (!more && stream.isOpen) await woken;
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
    this.#streams.wake();
  }

  /** Whether there are changes that this process did not make. */
  async #look(): Promise<boolean> {
    const head = await this.changes.head();
    const isNew = head !== this.#seen;
    this.#seen = head;
    if (isNew) this.#readings.clear();
    return isNew;
  }
}

const eventOf = (change: KeyChange): string =>
  `id: ${change.sequence}\nevent: change\ndata: ${JSON.stringify(change)}\n\n`;
