import { Inject, Injectable } from '@nestjs/common';
import type { Actor, ExpiringKeysQuery } from '#libs/contract';
import type { Clock } from '#libs/core';
import { CLOCK } from '#libs/server';
import { type ExpiringPage, ExpiryStore } from './expiry.store.js';
import { enforce, mayListExpiring } from './policy.js';

const DAY = 86_400;

/** Keys that end soon. */
@Injectable()
export class ExpiryService {
  constructor(
    private readonly expiry: ExpiryStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws DomainError `forbidden` for those of others without an administrator's token */
  async list(query: ExpiringKeysQuery, actor: Actor): Promise<ExpiringPage> {
    const all = query.all === 'true';
    enforce(mayListExpiring(actor, all));
    const from = Math.floor(this.clock.now().getTime() / 1000);
    const { within, limit, cursor } = query;
    const span = { from, before: from + within * DAY, limit, ...(cursor !== undefined && { cursor }) };
    return all ? this.expiry.all(span) : this.expiry.of(actor.accountId, span);
  }
}
