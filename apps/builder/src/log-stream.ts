import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { WebSocket } from 'ws';
import { ScsConfig } from '#libs/config';
import { type Actor, hasScope } from '#libs/contract';
import { type Clock, DomainError, isObjectId } from '#libs/core';
import {
  CLOCK,
  TokenVerifier,
  type UpgradeContext,
  type UpgradeRouteOptions,
  UpgradeRouter,
} from '#libs/server';
import { BuildLogs } from './build-logs.js';
import { BuildsService } from './builds.service.js';
import { BuildsStore } from './builds.store.js';
import { LIMITS } from './limits.js';
import { maySee } from './policy.js';
import { isOver } from './present.js';
import { StreamWatch } from './stream-watch.js';
import { wholeCharacters } from './utf8.js';

const NORMAL = 1000;
/** Bytes that may wait in a socket before the log is read on: a slow subscriber costs memory otherwise. */
const WAITING = 1024 * 1024;

/** `GET /v1/build-ws/:id`: the log from its first byte, then live, then close 1000 (builder contract §5). */
@Injectable()
export class LogStream implements OnModuleInit {
  /** Open sockets by account. */
  readonly #open = new Map<string, number>();
  readonly #ownOrigin: string;

  constructor(
    private readonly upgrades: UpgradeRouter,
    private readonly builds: BuildsStore,
    private readonly awaited: BuildsService,
    private readonly logs: BuildLogs,
    private readonly verifier: TokenVerifier,
    config: ScsConfig,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.#ownOrigin = new URL(config.publicUrl).origin;
  }

  onModuleInit(): void {
    // The connection may break when the token has expired: the log is taken up again.
    const goesOn: UpgradeRouteOptions['goesOn'] = (actor, { id = '' }) => this.awaited.isAwaited(id, actor);
    this.upgrades.route('/v1/build-ws/:id', (context) => this.#answer(context), { goesOn });
  }

  async #answer(context: UpgradeContext): Promise<void> {
    const { params, query, actor } = context;
    if (actor === undefined) throw new DomainError('unauthorized');
    this.#refuseForeignSite(context);
    const id = params['id'] ?? '';
    const build = isObjectId(id) ? await this.builds.get(id) : undefined;
    if (build === undefined) throw new DomainError('not_found', 'There is no such build');
    const decision = maySee(actor, build.value);
    if (!decision.allowed || !hasScope(actor, 'build')) {
      throw new DomainError(
        'forbidden',
        decision.allowed ? 'The token lacks the scope build' : decision.reason,
        decision.allowed ? { remedy: 'Use a token that was made with the scope build' } : {},
      );
    }
    const offset = Number(query.get('offset') ?? 0);
    await this.#counted(actor, async () =>
      this.#send(id, Number.isSafeInteger(offset) && offset > 0 ? offset : 0, actor, await context.accept()),
    );
  }

  /** Only browsers say where a page came from: a page of another site must not read logs with a token that it got hold of (builder contract §5.1). */
  #refuseForeignSite({ request }: UpgradeContext): void {
    const { origin } = request.headers;
    if (origin === undefined || origin === this.#ownOrigin) return;
    throw new DomainError('forbidden', 'Pages of other sites may not read build logs', {
      reason: 'foreign_origin',
    });
  }

  async #counted({ accountId }: Actor, work: () => Promise<void>): Promise<void> {
    const open = this.#open.get(accountId) ?? 0;
    if (open >= LIMITS.streamsPerAccount)
      throw new DomainError(
        'too_many_requests',
        `${open} build logs are followed already; close some of them`,
      );
    this.#open.set(accountId, open + 1);
    try {
      await work();
    } finally {
      const rest = (this.#open.get(accountId) ?? 1) - 1;
      if (rest > 0) this.#open.set(accountId, rest);
      else this.#open.delete(accountId);
    }
  }

  async #send(id: string, offset: number, actor: Actor, socket: WebSocket): Promise<void> {
    let wake = (): void => undefined;
    const stop = this.logs.follow(id, () => wake());
    const look = setInterval(() => wake(), LIMITS.logEndSeconds * 1000);
    socket.on('close', () => wake());
    const watch = new StreamWatch(socket, () => this.verifier.hasEnded(actor));
    try {
      for (let at = offset; socket.readyState === socket.OPEN;) {
        const grown = new Promise<void>((resolve) => (wake = resolve));
        // Asked before the log is read: what is written after the end was seen would be lost otherwise.
        const over = await this.#isOver(id);
        const read = await this.logs.read(id, at, LIMITS.messageBytes);
        const whole = read.length < LIMITS.messageBytes && over ? read.length : wholeCharacters(read);
        if (whole > 0) {
          await send(socket, read.subarray(0, whole));
          watch.heard();
          at += whole;
        } else if (over) {
          socket.close(NORMAL);
          return;
        } else await grown;
      }
    } finally {
      stop();
      clearInterval(look);
      watch.stop();
    }
  }

  async #isOver(id: string): Promise<boolean> {
    const build = (await this.builds.get(id))?.value;
    if (build === undefined || build.logComplete) return true;
    // A crash between the final status and the end of the log must not leave streams open for ever.
    const since = this.clock.now().getTime() - new Date(build.completeTime ?? 0).getTime();
    return isOver(build) && since > LIMITS.logEndSeconds * 1000;
  }
}

/** Sends one text message; resolves when the socket has taken most of what waits. A client that has gone is no error. */
function send(socket: WebSocket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const waits = socket.bufferedAmount > WAITING;
    // The callback of a connection that breaks is not called in every case; `close` is.
    if (waits) socket.once('close', resolve);
    socket.send(bytes.toString('utf8'), () => {
      socket.off('close', resolve);
      if (waits) resolve();
    });
    if (!waits) resolve();
  });
}
