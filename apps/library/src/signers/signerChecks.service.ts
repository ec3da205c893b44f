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
 * Looks at signatures in the background: those whose time has come, and those of whose keys the keystore says that they have changed.
 * As long as nothing here is signed, nothing is asked.
 */
@Injectable()
export class SignerChecks implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #stopping = new AbortController();
  #running: Promise<unknown> | undefined;
  /** The image whose bytes are being read. */
  #hashing: Promise<void> | undefined;
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
    // Without one what is to be looked at waits for the day on which there is one.
    if (this.keys.isReadable) this.#running = Promise.all([this.#checking(), this.#following()]);
  }

  /** While the database still takes what was found. */
  async beforeApplicationShutdown(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    this.signers.stop();
    await this.#running;
    await this.#hashing;
  }

  /** Something has arrived, or is asked for: no need to wait. */
  nudge(): void {
    this.#isNudged = true;
    this.#wake();
  }

  async #checking(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const wake = new AbortController();
      this.#wake = () => wake.abort();
      this.#isNudged = false;
      await this.#checkDue().catch((error: unknown) => {
        if (!signal.aborted) this.log.warn(`Signatures could not be checked: ${messageOf(error)}`);
      });
      if (!this.#isNudged) await this.#pause(AbortSignal.any([signal, wake.signal]));
    }
  }

  /** Whatever needs only keys goes at once; bytes are read of one image at a time, and nothing else waits for that. */
  async #checkDue(): Promise<void> {
    // A keystore that does not even say what has changed gives no keys: what waits is not asked for, image by image.
    if (this.#failures > 0) return;
    const due = await this.store.due(this.clock.now().getTime(), this.limits.signatureBatch);
    for (const { id, value } of due) {
      if (this.#stopping.signal.aborted) return;
      if (Object.keys(value.digests).length > 0) await this.signers.check(id);
      else this.#hashing ??= this.#readBytes(id);
    }
  }

  async #readBytes(id: string): Promise<void> {
    const isDone = await this.signers.check(id);
    this.#hashing = undefined;
    // The next one need not wait.
    if (isDone) this.nudge();
  }

  async #following(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const isSigned = await this.#hasSigned();
      if (isSigned) await this.#follow();
      await this.#pause(signal);
    }
  }

  async #hasSigned(): Promise<boolean> {
    // A database that is away is said by whoever needs it more.
    this.#isSigned ||= await this.store.hasClaims().catch(() => false);
    return this.#isSigned;
  }

  /** What the keystore says has changed since it was asked last. The place is remembered after what it leads to. */
  async #follow(): Promise<void> {
    const now = Date.now();
    if (now < this.#askAgain) return;
    try {
      for (;;) {
        const after = await this.store.position();
        const { changes, next, more } = await this.keys.changesAfter(after);
        let marked = 0;
        for (const { fingerprint } of changes) marked += await this.signers.doubt(fingerprint);
        if (marked > 0) this.nudge();
        if (next !== after) await this.store.remember(next);
        if (!more || this.#stopping.signal.aborted) break;
      }
      if (this.#failures > 0) {
        this.log.info('The keystore says again which keys have changed');
        this.#failures = 0;
        this.nudge();
      }
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
    await delay(this.limits.keyChangesInterval, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
