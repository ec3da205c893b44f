import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import type { BlobReader, BlobStore } from '#libs/blobs';
import type { Actor, BuildContextAnnouncement } from '#libs/contract';
import { type Clock, type Digest, DomainError, expected, isDigest, parseDigest, Turns } from '#libs/core';
import { CLOCK, receiveBody, TokenVerifier } from '#libs/server';
import { ContextsStore, type Hold } from './contexts.store.js';
import { LIMITS } from './limits.js';

/** Injection tokens of the blob store for contexts, and of the key that signs upload addresses. */
export const CONTEXT_BLOBS = Symbol('build context blobs');
export const UPLOAD_KEY = Symbol('build context upload key');

/** The query of a signed upload address. */
export interface UploadGrant {
  readonly holder: string;
  readonly size: number;
  /** Unix seconds. */
  readonly expires: number;
  readonly mac: string;
}

/** Build contexts: announced, uploaded to a signed address, held by accounts and builds, and gone when nobody holds them. */
@Injectable()
export class ContextsService {
  /** What is done to one context is done one after the other: whether it is held must not change between the question and the deed. */
  readonly #turns = new Turns();

  constructor(
    private readonly holds: ContextsStore,
    private readonly verifier: TokenVerifier,
    @Inject(CONTEXT_BLOBS) private readonly blobs: BlobStore,
    @Inject(UPLOAD_KEY) private readonly key: Buffer,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Where to upload, or undefined when this account's own upload is already here (builder contract §3.11). What others have uploaded makes
   * no difference: the answer must not tell.
   * @throws DomainError `bad_request`, `too_large`
   */
  async announce({ size, digest }: BuildContextAnnouncement, actor: Actor): Promise<string | undefined> {
    const checked = parseDigest(digest);
    if (size <= 0) throw new DomainError('bad_request', expected('a positive number', 'size', size));
    if (size > LIMITS.contextBytes)
      throw new DomainError(
        'too_large',
        expected(`at most ${LIMITS.contextBytes} bytes`, 'a build context', size),
      );
    const wanted = await this.#turns.take(checked, async () => {
      const known = await this.holds.get(checked, actor.accountId);
      const here = known?.uploaded === true && (await this.blobs.sizeOf(checked)) !== undefined;
      await this.holds.put({
        digest: checked,
        holder: actor.accountId,
        size: here ? known.size : size,
        uploaded: here,
        expiresAt: this.#later(LIMITS.contextSeconds),
        tokenId: actor.tokenId,
        originTokenId: actor.originTokenId,
        ...(actor.keyId !== undefined && { keyId: actor.keyId }),
      });
      return !here;
    });
    await this.#makeRoom(checked, actor.accountId);
    if (!wanted) return undefined;
    await this.blobs.checkSpace(size);
    return this.#addressOf(checked, actor.accountId, size);
  }

  /**
   * Takes the bytes of an announced context.
   * @throws DomainError `forbidden` for an address that was not made here or is too old, `unauthorized` when its token was revoked,
   *   `unavailable` while that is not known, `unprocessable` for other bytes than announced
   */
  async upload(digestText: string, grant: UploadGrant, request: IncomingMessage): Promise<void> {
    const digest = parseDigest(digestText);
    const good = Buffer.from(this.#sign(digest, grant.holder, grant.size, grant.expires));
    const given = Buffer.from(grant.mac);
    if (good.length !== given.length || !timingSafeEqual(good, given))
      throw new DomainError('forbidden', 'This upload address is not valid');
    if (grant.expires * 1000 <= this.clock.now().getTime())
      throw new DomainError('forbidden', 'This upload address has expired');
    const { tokenId = '', originTokenId = '', keyId } = await this.#announced(digest, grant.holder);
    this.verifier.requireFresh();
    if (this.verifier.hasEnded({ accountId: grant.holder, tokenId, originTokenId, keyId }))
      throw new DomainError('unauthorized', 'The token that announced this build context was revoked', {
        reason: 'token_revoked',
      });
    const writer = await this.blobs.write({ limit: grant.size });
    try {
      await receiveBody(request, writer, { limit: grant.size });
      // The holds as they are now: they may have changed while the bytes came.
      await this.#turns.take(digest, async () => {
        const hold = await this.#announced(digest, grant.holder);
        await writer.commit({ digest, size: grant.size });
        await this.holds.put({ ...hold, uploaded: true });
      });
    } finally {
      await writer.cancel();
    }
  }

  async #announced(digest: Digest, holder: string): Promise<Hold> {
    const hold = await this.holds.get(digest, holder);
    if (hold === undefined) throw new DomainError('gone', 'This build context was given up');
    return hold;
  }

  /** Whether the context was announced with this very token: it may be given up also when that has expired (ADR 10). */
  async hasAnnounced(digestText: string, { accountId, tokenId }: Actor): Promise<boolean> {
    return (
      isDigest(digestText) && (await this.holds.get(parseDigest(digestText), accountId))?.tokenId === tokenId
    );
  }

  /** Gives an account's hold up; the context goes when it was the last one. Without a hold nothing is looked at that others have. */
  async release(digestText: string, actor: Actor): Promise<void> {
    const digest = parseDigest(digestText);
    if ((await this.holds.get(digest, actor.accountId)) !== undefined)
      await this.#drop(digest, actor.accountId);
  }

  /**
   * Keeps a context for a build, whatever its owner does meanwhile.
   * @throws DomainError `not_found` unless this account has uploaded it
   */
  async holdForBuild(digest: Digest, buildId: string, actor: Actor): Promise<void> {
    await this.#turns.take(digest, async () => {
      const own = await this.holds.get(digest, actor.accountId);
      if (own?.uploaded !== true || (await this.blobs.sizeOf(digest)) === undefined) {
        throw new DomainError('not_found', `The build context ${digest} was not uploaded`, {
          reason: 'context_not_found',
        });
      }
      // Longer than any build lasts: for a builder that is killed before it says that the build has ended.
      const expiresAt = this.#later(LIMITS.totalSeconds * 2);
      await this.holds.put({ ...own, holder: buildId, expiresAt });
    });
  }

  /** The build has ended. */
  async releaseFromBuild(digest: string, buildId: string): Promise<void> {
    await this.#drop(parseDigest(digest), buildId);
  }

  open(digest: string): Promise<BlobReader> {
    return this.blobs.open(parseDigest(digest));
  }

  /** Removes contexts that nobody released (builder contract §12 case 48), and bytes of uploads that were cut off. Called from time to time. */
  async sweep(): Promise<void> {
    const expired: readonly Hold[] = await this.holds.expired(this.clock.now().toISOString(), LIMITS.listed);
    for (const { digest, holder } of expired) await this.#drop(parseDigest(digest), holder);
    // Each upload is one stream: what this process does not write at this moment is of one that was killed.
    await this.blobs.sweep({ isAlive: async () => false });
  }

  async #drop(digest: Digest, holder: string): Promise<void> {
    await this.#turns.take(digest, async () => {
      // Bytes first: killed in between, the hold is still there, and ends again when its time is over.
      if (!(await this.holds.isHeldByOthers(digest, holder))) await this.blobs.remove(digest);
      await this.holds.release(digest, holder);
    });
  }

  /** The contexts that were announced longest ago go, when an account holds too many or too much. */
  async #makeRoom(newest: Digest, holder: string): Promise<void> {
    const held = await this.holds.ofHolder(holder, LIMITS.listed);
    let bytes = 0;
    for (const [index, { digest, size }] of held.entries()) {
      bytes += size;
      const fits = index < LIMITS.contextsPerAccount && bytes <= LIMITS.contextBytesPerAccount;
      if (!fits && digest !== newest) await this.#drop(parseDigest(digest), holder);
    }
  }

  #addressOf(digest: Digest, holder: string, size: number): string {
    const expires = Math.floor(this.clock.now().getTime() / 1000) + LIMITS.uploadSeconds;
    const mac = this.#sign(digest, holder, size, expires);
    const query = new URLSearchParams({ holder, size: String(size), expires: String(expires), mac });
    return `/v1/build-context/${digest}/_upload?${query.toString()}`;
  }

  #later(seconds: number): string {
    return new Date(this.clock.now().getTime() + seconds * 1000).toISOString();
  }

  #sign(digest: Digest, holder: string, size: number, expires: number): string {
    return createHmac('sha256', this.key)
      .update(`${digest}\n${holder}\n${size}\n${expires}`)
      .digest('base64url');
  }
}
