import { randomBytes } from 'node:crypto';
import type { Clock } from '#libs/core';
import type { Collection, Documents, Write } from '#libs/documents';
import type { AuditEvent } from './event.js';
import { type AuditedServiceName, INBOX, type InboxIndex, recordOf, type WaitingRecord } from './records.js';

export interface TrailParts {
  readonly documents: Documents;
  readonly service: AuditedServiceName;
  readonly clock: Clock;
  /** Told that an entry is about to be committed. */
  readonly onWrite?: () => void;
}

/** The trail of one service, in its own database: what services write to. */
export class Trail {
  readonly service: AuditedServiceName;
  readonly #documents: Documents;
  readonly #clock: Clock;
  readonly #onWrite: () => void;
  readonly #inbox: Collection<WaitingRecord, InboxIndex>;

  constructor({ documents, service, clock, onWrite }: TrailParts) {
    this.service = service;
    this.#documents = documents;
    this.#clock = clock;
    this.#onWrite = onWrite ?? (() => undefined);
    this.#inbox = documents.collection<WaitingRecord, InboxIndex>(INBOX);
  }

  /**
   * The entry of an event as a write, to be put into the commit of what it says: no change without its entry, no entry without its
   * change. Make a new one for every attempt of a commit.
   * @throws Error for an event that the list of what may be recorded has no place for: a mistake of ours
   */
  write(event: AuditEvent): Write {
    const now = this.#clock.now();
    const write = this.#inbox.write.insert(nextId(now), recordOf(event, this.service, now));
    this.#onWrite();
    return write;
  }

  /** Records what changed nothing, such as a refusal. Durable when this resolves. */
  async record(event: AuditEvent): Promise<void> {
    const result = await this.#documents.commit([this.write(event)]);
    if (!result.ok) throw new Error('The id of an entry of the audit trail came up twice');
  }
}

let counter = 0;

/** Time, a counter and random digits: entries of one process keep their order within a millisecond. */
function nextId(now: Date): string {
  counter = (counter + 1) % 0x10000;
  const time = now.getTime().toString(16).padStart(12, '0');
  return `${time}${counter.toString(16).padStart(4, '0')}${randomBytes(4).toString('hex')}`;
}
