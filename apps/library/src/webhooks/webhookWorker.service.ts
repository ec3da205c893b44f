import { setTimeout as delay } from 'node:timers/promises';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Trail } from '#libs/audit';
import { ScsConfig } from '#libs/config';
import { type DeliveryAttempt, type WebhookDisabled } from '#libs/contract';
import { type Clock, messageOf, newObjectId } from '#libs/core';
import { CLOCK, LOG, type Logger, METRICS, Metrics } from '#libs/server';
import { commitPlan, DATABASE, type Database } from '../database.store.js';
import { Sequencer } from '../events/sequencer.service.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { nextAttempt, pauseOf } from './backOff.js';
import { DeliveriesService } from './deliveries.service.js';
import { DeliveriesStore, type StoredDelivery } from './deliveries.store.js';
import { WebhookSecrets } from './secrets.js';
import { Sender, type Sent } from './send.js';
import { SIGNATURE_HEADER, signatureOf } from './signature.js';
import { webhookEvent } from './webhookEvents.js';
import { type StoredWebhook, WebhooksStore } from './webhooks.store.js';

/** Waiting deliveries that the metrics count. */
const COUNTED = 1000;
/** How often what is remembered for too long is looked for. */
const SWEEP = 60 * 1000;
/** How often it is looked whether something was left behind. */
const RECOVERY = 60 * 60 * 1000;

/**
 * Sends what waits to the receivers. One process does, as its lease says; one receiver that hangs costs one of several places, and is
 * left alone the longer it fails. What was sent is written down afterwards: killed in between, it is sent again, with the same id.
 */
@Injectable()
export class WebhookWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #me = newObjectId();
  readonly #stopping = new AbortController();
  /** A moment later: what receivers answer until then is written down, and not sent again by the next process. */
  readonly #cut = new AbortController();
  /** Webhooks that are being looked after, and whether they have failed before. */
  readonly #turns = new Map<string, { readonly failing: boolean; readonly done: Promise<void> }>();
  readonly #count;
  #wake: () => void = () => undefined;
  #running: Promise<void> | undefined;
  /** Until when the lease is ours. */
  #leased = 0;
  #first = true;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #recoveredAt = Number.NEGATIVE_INFINITY;

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly config: ScsConfig,
    private readonly webhooks: WebhooksStore,
    private readonly deliveries: DeliveriesStore,
    private readonly delivering: DeliveriesService,
    private readonly secrets: WebhookSecrets,
    private readonly sender: Sender,
    private readonly sequencer: Sequencer,
    private readonly trail: Trail,
    metrics: Metrics,
  ) {
    delivering.onDue(() => this.#wake());
    this.#count = metrics.counter({
      name: 'scs_library_deliveries_total',
      help: 'Attempts to deliver an event to a webhook, by what came of them',
      labels: { outcome: ['delivered', 'retried', 'given_up'] },
    });
    metrics.gauge(
      {
        name: 'scs_library_deliveries_waiting',
        help: `Deliveries that wait for their first or next attempt, up to ${COUNTED}`,
        every: METRICS.databaseSeconds,
      },
      async () => [{ value: await deliveries.countWaiting(COUNTED) }],
    );
  }

  onApplicationBootstrap(): void {
    this.#running = this.#run();
  }

  /** While the database still takes what came of the attempts under way. */
  async beforeApplicationShutdown(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    const timer = setTimeout(() => this.#cut.abort(), this.limits.webhookGrace);
    await this.#running;
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      const wait = await this.#round().catch((error: unknown) => {
        this.log.warn(`Events could not be delivered to webhooks: ${messageOf(error)}`);
        return this.limits.webhookLease;
      });
      const timer = new AbortController();
      await Promise.race([
        woken,
        delay(wait, undefined, { signal: timer.signal, ref: false }).catch(() => undefined),
      ]);
      timer.abort();
    }
    await Promise.all([...this.#turns.values()].map(({ done }) => done));
    // Whoever comes next goes on at once.
    if (this.#leased > 0) await this.webhooks.lease(this.#me, this.#now(), 0, false).catch(() => undefined);
  }

  /** Gives every webhook that is due its turn, as far as there is room. @returns after how many milliseconds it is worth looking again */
  async #round(): Promise<number> {
    const { webhookLease, webhookPoll, deliveriesAtOnce, deliveriesToFailing } = this.limits;
    if (!(await this.#lead())) return webhookLease;
    await this.#keepHouse();
    const failing = [...this.#turns.values()].filter((turn) => turn.failing).length;
    let [room, roomToFailing] = [deliveriesAtOnce - this.#turns.size, deliveriesToFailing - failing];
    const isFailing = ({ value }: StoredWebhook): boolean => value.failingSince !== undefined;
    // Enough to find one that has not failed behind all that have: those that failed come up seldom.
    for (const webhook of await this.webhooks.due(this.#now(), COUNTED)) {
      if (room <= 0) break;
      if (this.#turns.has(webhook.id) || (isFailing(webhook) && roomToFailing <= 0)) continue;
      room -= 1;
      if (isFailing(webhook)) roomToFailing -= 1;
      this.#begin(webhook, isFailing(webhook));
    }
    const something = this.#turns.size > 0 || (await this.webhooks.anyDue());
    // The lease is kept while something is under way; other processes' deliveries wake nobody here.
    return something || this.webhooks.shared ? webhookPoll : SWEEP;
  }

  #begin(webhook: StoredWebhook, failing: boolean): void {
    const done = this.#turn(webhook)
      .catch((error: unknown) => {
        if (this.#stopping.signal.aborted) return;
        this.log.warn({ webhook: webhook.id }, `A webhook had no turn: ${messageOf(error)}`);
        // Not at once: whatever it is would go round and round.
        return this.#pause(webhook.id);
      })
      .catch(() => undefined)
      .finally(() => {
        this.#turns.delete(webhook.id);
        this.#wake();
      });
    this.#turns.set(webhook.id, { failing, done });
  }

  /** @returns whether this process is the one that delivers */
  async #lead(): Promise<boolean> {
    const now = this.#now();
    const { webhookLease } = this.limits;
    if (this.#leased - now > webhookLease / 2) return true;
    // A SQLite file has one process: whoever had the lease before is dead.
    const anyway = this.#first && !this.webhooks.shared;
    const ours = await this.webhooks.lease(this.#me, now, now + webhookLease, anyway);
    this.#leased = ours ? now + webhookLease : 0;
    if (ours) this.#first = false;
    return ours;
  }

  async #keepHouse(): Promise<void> {
    const elapsed = performance.now();
    if (elapsed - this.#recoveredAt >= RECOVERY) {
      this.#recoveredAt = elapsed;
      for await (const webhook of this.deliveries.webhooksWithWaiting()) await this.#recover(webhook);
    }
    if (elapsed - this.#sweptAt < SWEEP) return;
    this.#sweptAt = elapsed;
    const before = new Date(this.#now() - this.limits.deliveriesKeptFor).toISOString();
    await this.deliveries.forgetBefore(before);
    await this.sequencer.sweep();
  }

  /** What waits for a webhook that is not due was left by a process that was killed; what waits for none is of no use. */
  async #recover(webhook: string): Promise<void> {
    if ((await this.webhooks.get(webhook)) === undefined) await this.deliveries.forgetAll(webhook);
    else await this.delivering.makeDue(webhook, this.#now());
  }

  /** Delivers to one webhook until nothing is due, it fails, or others have waited long enough. */
  async #turn({ id }: StoredWebhook): Promise<void> {
    let pause = false;
    for (let sent = 0; sent < this.limits.deliveriesInTurn && !pause; sent += 1) {
      const webhook = await this.webhooks.get(id);
      const delivery = await this.deliveries.next(id);
      if (webhook === undefined || webhook.value.disabled !== undefined || delivery === undefined) break;
      if ((delivery.value.dueAt ?? 0) > this.#now()) break;
      // Somebody else delivers now.
      if (this.#stopping.signal.aborted || this.#leased <= this.#now()) return;
      const secret = this.secrets.open(webhook.value.secret, id);
      if (secret === undefined) {
        await this.#disable(id, 'secret_lost');
        return;
      }
      const attempt = await this.#attempt(webhook, delivery, secret);
      if (attempt === undefined) return;
      await this.#record(delivery, attempt);
      pause = !(await this.#judge(webhook, attempt.error === null));
    }
    await this.#giveUpBeyond(id);
    await this.deliveries.forgetBeyond(id, this.limits.deliveriesKept);
    await (pause ? this.#pause(id) : this.#settle(id));
  }

  /** Undefined: this process ends, and nobody knows what came of it. */
  async #attempt(
    { id, value: { url } }: StoredWebhook,
    delivery: StoredDelivery,
    secret: string,
  ): Promise<DeliveryAttempt | undefined> {
    const { signal } = this.#cut;
    const now = this.clock.now();
    const body = JSON.stringify(delivery.value.event);
    const seconds = Math.floor(now.getTime() / 1000);
    const begun = performance.now();
    const sent: Sent = await this.sender.send({
      url,
      body,
      headers: {
        'content-type': 'application/json',
        'user-agent': `scs/${this.config.version}`,
        'scs-delivery': delivery.id,
        'scs-event': delivery.value.event.kind,
        'scs-webhook': id,
        [SIGNATURE_HEADER]: signatureOf(secret, seconds, body),
      },
      timeout: this.limits.deliveryTimeout,
      signal,
    });
    if (signal.aborted && sent.error !== null) return undefined;
    // How long a name took to be looked up would tell whether there is one inside.
    const duration = sent.error === 'address_refused' ? 0 : Math.round(performance.now() - begun);
    return { at: now.toISOString(), duration, ...sent };
  }

  async #record(delivery: StoredDelivery, attempt: DeliveryAttempt): Promise<void> {
    const now = this.#now();
    const { dueAt: _, ...before } = delivery.value;
    const attempts = before.attempts + 1;
    const log = [...before.log, attempt].slice(-this.limits.deliveryLog);
    const again = attempt.error === null ? undefined : nextAttempt(attempts, now, before.until, this.limits);
    const state = attempt.error === null ? 'delivered' : 'given_up';
    // A delivery that is gone, because its webhook is, is not missed.
    await this.deliveries.replace(
      delivery,
      again === undefined
        ? { ...before, state, over: before.order, attempts, log }
        : { ...before, dueAt: again, attempts, log },
    );
    this.#count({ outcome: again === undefined ? state : 'retried' });
  }

  /** Notes since when a webhook fails, and disables it after days of that. @returns whether it goes on with the next delivery */
  async #judge({ id, value }: StoredWebhook, delivered: boolean): Promise<boolean> {
    const now = this.clock.now();
    if (delivered) {
      if (value.failingSince !== undefined)
        await this.webhooks.update(id, (one) => {
          const { failingSince: _, ...rest } = one;
          return rest;
        });
      return true;
    }
    const since = value.failingSince ?? now.toISOString();
    if (value.failingSince === undefined)
      await this.webhooks.update(id, (one) => ({ ...one, failingSince: since }));
    if (now.getTime() - Date.parse(since) >= this.limits.webhookFailing) await this.#disable(id, 'failing');
    return false;
  }

  async #disable(id: string, disabled: WebhookDisabled): Promise<void> {
    await commitPlan(this.database, async () => {
      const webhook = await this.webhooks.get(id);
      if (webhook === undefined || webhook.value.disabled !== undefined)
        return { writes: [], result: undefined };
      const { dueAt: _, ...rest } = webhook.value;
      const value = { ...rest, disabled, updatedAt: this.clock.now().toISOString() };
      return {
        writes: [
          this.webhooks.replacement(webhook, value),
          this.trail.write(webhookEvent('webhook.change', null, webhook, { id, value })),
        ],
        result: undefined,
      };
    });
    this.log.warn({ webhook: id, reason: disabled }, 'A webhook was disabled: its owner has to look at it');
  }

  /** The next look at a webhook, when its next delivery is due, and not before it was left alone for a while. */
  async #pause(id: string): Promise<void> {
    const failingSince = (await this.webhooks.get(id))?.value.failingSince;
    const failing = failingSince === undefined ? 0 : this.#now() - Date.parse(failingSince);
    await this.#settle(id, this.#now() + pauseOf(failing, this.limits));
  }

  /**
   * Writes down when a webhook is due again, if it is, and looks once more: what came in between found it due, and left it as it was.
   */
  async #settle(id: string, notBefore = 0): Promise<void> {
    for (;;) {
      const webhook = await this.webhooks.get(id);
      if (webhook === undefined || webhook.value.disabled !== undefined) return;
      const next = (await this.deliveries.next(id))?.value.dueAt;
      const due = next === undefined ? undefined : Math.max(next, notBefore);
      const { dueAt, ...rest } = webhook.value;
      if (dueAt === due) return;
      await this.webhooks.replace(webhook, due === undefined ? rest : { ...rest, dueAt: due });
    }
  }

  /** A receiver that is dead for hours does not fill the disk. */
  async #giveUpBeyond(id: string): Promise<void> {
    const { deliveriesWaiting, deliveriesWaitingFree } = this.limits;
    const young = new Date(this.#now() - deliveriesWaitingFree).toISOString();
    // All of them: while it fails its turns are half an hour apart, and an hour has thousands of events.
    for (let isMore = true; isMore && !this.#stopping.signal.aborted;) {
      isMore = false;
      for (const delivery of await this.deliveries.beyond(id, deliveriesWaiting)) {
        const { dueAt: _, ...rest } = delivery.value;
        if (rest.createdAt >= young) continue;
        const over = { ...rest, state: 'given_up', over: rest.order } as const;
        if (!(await this.deliveries.replace(delivery, over))) continue;
        this.#count({ outcome: 'given_up' });
        isMore = true;
      }
    }
  }

  #now(): number {
    return this.clock.now().getTime();
  }
}
