import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import type { Actor, KeyNotice, ListQuery } from '#libs/contract';
import { DomainError, messageOf } from '#libs/core';
import { LOG, type Logger } from '#libs/server';
import { LIMITS } from './limits.js';
import { NoticesStore } from './notices.store.js';
import { presentNotice } from './present-key.js';

/** Tells people that their keys end, at a start and every hour (ADR 25). */
@Injectable()
export class NoticesService
  implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(
    private readonly notices: NoticesStore,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => this.#run(), LIMITS.noticesEveryMs).unref();
    this.#run();
  }

  beforeApplicationShutdown(): void {
    clearInterval(this.#timer);
    this.#stop.abort();
  }

  /** Before the module closes the database. */
  async onApplicationShutdown(): Promise<void> {
    await this.#running;
  }

  async list(actor: Actor, query: ListQuery): Promise<{ notices: KeyNotice[]; cursor: string | undefined }> {
    const { found, cursor } = await this.notices.list(actor.accountId, query);
    return { notices: found.map(({ notice, certificate }) => presentNotice(notice, certificate)), cursor };
  }

  /** @throws DomainError `not_found` for a key about which the account has no notice that still holds, or that is not there */
  async acknowledge(actor: Actor, fingerprint: string): Promise<KeyNotice> {
    const found = await this.notices.acknowledge(actor.accountId, fingerprint);
    if (found !== undefined) return presentNotice(found.notice, found.certificate);
    throw new DomainError('not_found', 'You have no notice about such a key', { reason: 'notice_not_found' });
  }

  #run(): void {
    this.#running ??= this.#look().finally(() => {
      this.#running = undefined;
    });
  }

  async #look(): Promise<void> {
    try {
      const told = await this.notices.tell(this.#stop.signal);
      if (told > 0) this.log.info({ told }, 'People were told that keys of theirs end');
      await this.notices.sweep(this.#stop.signal);
    } catch (error) {
      this.log.warn(`It was not looked which keys end soon: ${messageOf(error)}`);
    }
  }
}
