import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '#libs/core';
import { CLOCK, METRICS, Metrics } from '#libs/server';
import { ChangeEvents } from './change-events.js';
import { ExpiryStore } from './expiry.store.js';
import { KeysCount } from './keys-count.store.js';
import { LIMITS } from './limits.js';

const MONTH = 30 * 86_400;

/** What the metrics say of the keys that there are. */
@Injectable()
export class KeyNumbers {
  constructor(
    metrics: Metrics,
    count: KeysCount,
    expiry: ExpiryStore,
    events: ChangeEvents,
    @Inject(CLOCK) clock: Clock,
  ) {
    metrics.gauge(
      { name: 'scs_keystore_keys', help: 'Keys that are stored', every: METRICS.databaseSeconds },
      async () => {
        const value = await count.read();
        return value === undefined ? [] : [{ value }];
      },
    );
    metrics.gauge(
      {
        name: 'scs_keystore_keys_expiring',
        help: `Keys that end within 30 days; ${LIMITS.countedExpiring} stands for that many or more`,
        every: METRICS.countedSeconds,
      },
      async () => {
        const from = Math.floor(clock.now().getTime() / 1000);
        const span = { from, before: from + MONTH, limit: LIMITS.countedExpiring };
        return [{ value: await expiry.count(span) }];
      },
    );
    metrics.gauge({ name: 'scs_keystore_event_streams', help: 'Who listens to changes of keys' }, () => [
      { value: events.open },
    ]);
  }
}
