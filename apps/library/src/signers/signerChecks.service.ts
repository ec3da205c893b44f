import { setTimeout as delay } from 'node:timers/promises';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { type Clock, messageOf } from '#libs/core';
import { CLOCK, LOG, type Logger } from '#libs/server';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { KeystoreKeys } from './keystoreKeys.js';
import { SignaturesStore } from './signatures.store.js';
import { SignersService } from './signers.service.js';

/**
 * Looks at signatures in the background, one image at a time: those whose time has come, and those of whose keys the keystore says that
 * they have changed. As long as nothing here is signed, nothing is asked.
 */
@Injectable()
export class SignerChecks implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #wake: () => void = () => undefined;
  #isNudged = false;
  #isSigned = false;
  /** Questions in a row that the keystore did not answer, and before which moment it is not asked again. */
  #failures = 0;
  #askAgain = 0;

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly keys: KeystoreKeys,
    private readonly store: SignaturesStore,
    private readonly signers: SignersService,
  ) {}

  onApplicationBootstrap(): void {
    this.#running = this.#run();
  }

  /** While the database still takes what was found. */
  async beforeApplicationShutdown(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#running;
  }

  /** Something has arrived, or is asked for: no need to wait. */
  nudge(): void {
    this.#isNudged = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#round();
      } catch (error) {
        if (!signal.aborted) this.log.warn(`Signatures could not be checked: ${messageOf(error)}`);
      }
      if (!this.#isNudged) await this.#pause(signal);
      this.#isNudged = false;
    }
  }

  async #round(): Promise<void> {
    this.#isSigned ||= await this.store.hasClaims();
    if (this.#isSigned && this.keys.isKnown) await this.#follow();
    const due = await this.store.due(this.clock.now().getTime(), this.limits.signatureBatch);
    for (const { id } of due) {
      if (this.#stopping.signal.aborted) return;
      await this.signers.check(id);
    }
    if (due.length === this.limits.signatureBatch) this.#isNudged = true;
  }

  /** What the keystore says has changed since it was asked last. The place is remembered after what it leads to. */
  async #follow(): Promise<void> {
    const now = Date.now();
    if (now < this.#askAgain) return;
    try {
      for (;;) {
        const after = await this.store.position();
        const { changes, next, more } = await this.keys.changesAfter(after);
        for (const { fingerprint } of changes) await this.signers.doubt(fingerprint);
        if (next !== after) await this.store.remember(next);
        if (!more || this.#stopping.signal.aborted) break;
      }
      if (this.#failures > 0) this.log.info('The keystore says again which keys have changed');
      this.#failures = 0;
    } catch (error) {
      if (this.#failures === 0)
        this.log.warn(`The keystore does not say which keys have changed: ${messageOf(error)}`);
      this.#failures += 1;
      const { keystoreRetry, keystoreRetryLongest } = this.limits;
      // No longer than a minute: a revocation counts from when it is heard of.
      const pause = Math.min(keystoreRetryLongest, 60_000, keystoreRetry * 2 ** Math.min(this.#failures, 10));
      this.#askAgain = now + pause;
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const wake = new AbortController();
    this.#wake = () => wake.abort();
    const until = AbortSignal.any([signal, wake.signal]);
    await delay(this.limits.keyChangesInterval, undefined, { signal: until, ref: false }).catch(
      () => undefined,
    );
  }
}
