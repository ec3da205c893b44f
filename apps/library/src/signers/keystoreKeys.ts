import { Inject, Injectable } from '@nestjs/common';
import { HttpClient, KeysClient, KeystoreClient } from '#libs/client';
import { ScsConfig } from '#libs/config';
import type { KeyChangesAnswer } from '#libs/contract';
import { DomainError } from '#libs/core';
import { type PgpKey, readKeys } from '#libs/pgp';
import { InternalClient } from '#libs/server';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';

/**
 * What the keystore tells anybody: keys, and which of them have changed. Nobody's token goes along, because signatures are looked at when
 * nobody asks, too. Where the site lets nobody read without one (SCS_KEYSTORE_READS) there is no answer.
 */
@Injectable()
export class KeystoreKeys {
  readonly #url: string | undefined;

  constructor(
    private readonly config: ScsConfig,
    private readonly internal: InternalClient,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
  ) {
    this.#url = config.knownUrl('keystore');
  }

  /** Whether there is a keystore that can be asked, as far as the settings of this process say. */
  get isReadable(): boolean {
    return this.#url !== undefined && this.config.keystore.reads !== 'token';
  }

  /** @throws DomainError `conflict` where it is known that no key can ever be asked for */
  requireReadable(): void {
    const reason = 'no_public_keystore';
    if (this.#url === undefined)
      throw new DomainError(
        'conflict',
        'This library knows no keystore: nobody could be found to have signed',
        {
          reason,
          remedy: 'The operator sets SCS_KEYSTORE_URL of the library.',
        },
      );
    if (this.config.keystore.reads === 'token')
      throw new DomainError(
        'conflict',
        'The keystore of this site gives keys to tokens alone: nobody could be found to have signed',
        { reason, remedy: 'The operator lets everybody read it: SCS_KEYSTORE_READS=everybody.' },
      );
  }

  /** Certificates by `0x` and a key id. @throws DomainError when the keystore does not say */
  async find(search: string): Promise<readonly PgpKey[]> {
    const signal = AbortSignal.timeout(this.limits.keystoreWait);
    const armored = await new KeystoreClient(this.#http()).get(search, { signal });
    return armored === undefined ? [] : readKeys(armored);
  }

  /** What has changed after a number of the feed. @throws DomainError when the keystore does not say */
  changesAfter(after: number): Promise<KeyChangesAnswer['data']> {
    return new KeysClient(this.#http()).changesAfter(after, this.limits.keystoreWait);
  }

  #http(): HttpClient {
    if (this.#url === undefined)
      throw new DomainError('unavailable', 'This library knows no keystore', {
        reason: 'no_keystore',
        remedy: 'Set SCS_KEYSTORE_URL.',
      });
    return new HttpClient({
      baseUrl: this.#url,
      userAgent: `scs-library/${this.config.version}`,
      dispatcher: this.internal.dispatcher,
    });
  }
}
