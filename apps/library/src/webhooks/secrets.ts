import { newSecret } from '#libs/core';
import { Sealed } from '../events/sealed.js';

/** Secrets of webhooks: made here, shown once, and kept sealed, so that who reads the database cannot sign. */
export class WebhookSecrets {
  readonly #sealed: Sealed;

  /** @param key of the service; with another one no secret can be read any more */
  constructor(key: Buffer) {
    this.#sealed = new Sealed(key, 'library webhooks');
  }

  /** @param webhook the id of the one that it belongs to */
  make(webhook: string): { readonly secret: string; readonly sealed: string } {
    const secret = newSecret();
    return { secret, sealed: this.#sealed.seal(Buffer.from(secret), webhook) };
  }

  /** Undefined: it was sealed with another key. */
  open(sealed: string, webhook: string): string | undefined {
    return this.#sealed.open(sealed, webhook)?.toString();
  }
}
