import { Inject, Injectable } from '@nestjs/common';
import type { TokenUseRequest } from '#libs/contract';
import type { Clock } from '#libs/core';
import { CLOCK } from '#libs/server';
import { AUTH_LIMITS } from './limits.js';
import { TokensStore } from './tokens.store.js';

/** When and from where tokens were last used, as the services report it. */
@Injectable()
export class UsesService {
  constructor(
    private readonly tokens: TokensStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Keeps a use; one shortly after another is not worth a write. @param tokenId of a token whose holder was verified */
  async note(tokenId: string, { address, client }: TokenUseRequest): Promise<void> {
    const now = this.clock.now();
    const since = new Date(now.getTime() - AUTH_LIMITS.useSpacingMs).toISOString();
    await this.tokens.used(tokenId, { time: now.toISOString(), address, client }, since);
  }
}
