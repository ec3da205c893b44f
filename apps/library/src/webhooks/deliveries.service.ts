import { Inject, Injectable } from '@nestjs/common';
import type { LibraryEvent } from '#libs/contract';
import type { Clock } from '#libs/core';
import { CLOCK } from '#libs/server';
import type { WaitingEvent } from '../events/feed.store.js';
import { type FanOut, Sequencer } from '../events/sequencer.service.js';
import { presentEvent } from '../events/sight.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { DeliveriesStore } from './deliveries.store.js';
import { type StoredWebhook, WebhooksStore } from './webhooks.store.js';

/** Makes deliveries of events: each in the commit that numbers its event, so that none is lost and none is made twice. */
@Injectable()
export class DeliveriesService {
  #onDue: () => void = () => undefined;

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly webhooks: WebhooksStore,
    private readonly deliveries: DeliveriesStore,
    sequencer: Sequencer,
  ) {
    sequencer.useFanOut((events) => this.#fanOut(events));
  }

  /** Calls `listener` when something may be due. */
  onDue(listener: () => void): void {
    this.#onDue = listener;
  }

  /** Something may be due. */
  wake(): void {
    this.#onDue();
  }

  /** A delivery as a write. Its webhook has to become due, too. */
  creation(webhook: string, event: LibraryEvent): ReturnType<DeliveriesStore['creation']> {
    const now = this.clock.now();
    return this.deliveries.creation(webhook, event, { now, until: now.getTime() + this.limits.deliveryEnd });
  }

  /**
   * Somebody has to look after the deliveries of a webhook. One that fails is left alone until its time comes.
   * @param now milliseconds since 1970
   */
  async makeDue(webhook: string, now: number): Promise<void> {
    await this.webhooks.update(webhook, (value) => {
      const { disabled, dueAt, failingSince } = value;
      if (disabled !== undefined) return undefined;
      if (dueAt !== undefined && (dueAt <= now || failingSince !== undefined)) return undefined;
      return { ...value, dueAt: now };
    });
  }

  async #fanOut(events: readonly WaitingEvent[]): Promise<FanOut> {
    const entities = [...new Set(events.map(({ entity }) => entity))];
    const found = await Promise.all(entities.map((entity) => this.webhooks.ofEntity(entity)));
    const wanting = new Map(entities.map((entity, index) => [entity, found[index] ?? []]));
    const made = events.flatMap((event) =>
      (wanting.get(event.entity) ?? [])
        .slice(0, this.limits.webhooks)
        .filter((webhook) => wants(webhook, event))
        .map(({ id }) => ({ webhook: id, write: this.creation(id, presentEvent(event)).write })),
    );
    const due = new Set(made.map(({ webhook }) => webhook));
    return { writes: made.map(({ write }) => write), done: () => this.#makeAllDue(due) };
  }

  /** What a process that is killed before it has said so leaves, the next one finds (WebhookWorker). */
  async #makeAllDue(webhooks: ReadonlySet<string>): Promise<void> {
    const now = this.clock.now().getTime();
    await Promise.allSettled([...webhooks].map((webhook) => this.makeDue(webhook, now)));
    if (webhooks.size > 0) this.wake();
  }
}

/** Nothing that happened before there was the webhook. */
function wants({ value }: StoredWebhook, { kind, time }: WaitingEvent): boolean {
  const { disabled, kinds, createdAt } = value;
  return disabled === undefined && time >= createdAt && (kinds.length === 0 || kinds.includes(kind));
}
