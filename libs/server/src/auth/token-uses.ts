import { CLIENT_LENGTH, type Actor } from '#libs/contract';
import { DomainError, messageOf } from '#libs/core';
import type { NotedUse, TokenAuthority } from './authority.js';
import { ACCESS_LIMITS } from './limits.js';

export interface TokenUsesOptions {
  /** Where uses are told; undefined while that is not known. */
  readonly authority: () => TokenAuthority | undefined;
  /** Milliseconds that only grow. */
  readonly elapsed: () => number;
  /** Told about reports that failed: they are dropped, the next use is reported again. */
  readonly debug: (message: string) => void;
}

/**
 * Tells the auth service which tokens are used, from where: after the request, together with others, each token at most once a
 * minute, and without anybody waiting for it. What cannot be told is forgotten.
 */
export class TokenUses {
  readonly #options: TokenUsesOptions;
  /** Tokens that were reported, oldest first, with the time. */
  readonly #reported = new Map<string, number>();
  readonly #waiting = new Map<string, NotedUse>();
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> = Promise.resolve();

  constructor(options: TokenUsesOptions) {
    this.#options = options;
  }

  /**
   * Notes a use. Never throws, never waits. A caller who proved the account by its password used no token, and with an expired one
   * nothing can be reported.
   */
  used(actor: Actor, from: { readonly address: string; readonly client: string | undefined }): void {
    const id = actor.originTokenId;
    if (actor.token === '' || actor.expired === true || !this.#isDue(id)) return;
    if (this.#waiting.size >= ACCESS_LIMITS.waitingUses) return;
    this.#remember(id);
    // Header values are ISO 8859-1 and may hold what a terminal would obey.
    const client = (from.client ?? '').replace(/\p{Cc}/gu, '').slice(0, CLIENT_LENGTH);
    this.#waiting.set(id, { tokenId: id, token: actor.token, address: from.address, client });
    this.#timer ??= setTimeout(() => this.#send(), ACCESS_LIMITS.useReportMs).unref();
  }

  /** Sends what waits, and resolves when that was tried. */
  flush(): Promise<void> {
    this.#send();
    return this.#sending;
  }

  #isDue(id: string): boolean {
    const last = this.#reported.get(id);
    return last === undefined || this.#options.elapsed() - last >= ACCESS_LIMITS.useSpacingMs;
  }

  #remember(id: string): void {
    this.#reported.delete(id);
    this.#reported.set(id, this.#options.elapsed());
    if (this.#reported.size <= ACCESS_LIMITS.rememberedUses) return;
    const [oldest] = this.#reported.keys();
    if (oldest !== undefined) this.#reported.delete(oldest);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const uses = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#sending = this.#sending.then(() => this.#sendAll(uses));
  }

  async #sendAll(uses: readonly NotedUse[]): Promise<void> {
    for (const use of uses) {
      try {
        await this.#options.authority()?.noteUse(use);
      } catch (error) {
        this.#options.debug(`The use of a token could not be reported: ${messageOf(error)}`);
        // The auth service is away: the others would only wait for it too.
        if (error instanceof DomainError && error.code === 'unavailable') return;
      }
    }
  }
}
