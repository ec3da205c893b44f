import { Injectable } from '@nestjs/common';
import type { Actor, BlockedKey, ListQuery } from '#libs/contract';
import { DomainError } from '#libs/core';
import { BlocksStore } from './blocks.store.js';
import { CertificatesStore } from './certificates.store.js';
import { keyEvent } from './events.js';

/** Keys that an administrator does not want here, whoever brings them. */
@Injectable()
export class BlocksService {
  constructor(
    private readonly certificates: CertificatesStore,
    private readonly blocks: BlocksStore,
  ) {}

  /** @throws DomainError `not_found` */
  async show(fingerprint: string): Promise<BlockedKey> {
    const found = await this.blocks.get(fingerprint);
    if (found === undefined) throw notBlocked(fingerprint);
    return found;
  }

  async list({ limit, cursor }: ListQuery): Promise<{ blocked: BlockedKey[]; cursor: string | undefined }> {
    const found = await this.blocks.list(limit, cursor);
    return { blocked: found.items.map(({ value }) => value), cursor: found.cursor };
  }

  /** Removes a key, its revocation too, and lets it not come again. */
  async block(fingerprint: string, actor: Actor): Promise<BlockedKey> {
    await this.certificates.change(fingerprint, async ({ certificate, blocked }) => {
      if (blocked && certificate === undefined) return undefined;
      const event = keyEvent('key.block', actor, certificate, undefined, fingerprint);
      return { ...(certificate !== undefined && { record: null }), blocked: true, event };
    });
    return this.show(fingerprint);
  }

  /** Lets a key come again; it does not bring it back. @throws DomainError `not_found` */
  async unblock(fingerprint: string, actor: Actor): Promise<BlockedKey> {
    const block = await this.show(fingerprint);
    await this.certificates.change(fingerprint, async ({ blocked }) =>
      blocked
        ? { blocked: false, event: keyEvent('key.unblock', actor, undefined, undefined, fingerprint) }
        : undefined,
    );
    return block;
  }
}

function notBlocked(fingerprint: string): DomainError {
  return new DomainError('not_found', 'This key is not blocked', {
    reason: 'key_not_blocked',
    about: { kind: 'key', name: fingerprint },
  });
}
