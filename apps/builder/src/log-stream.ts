import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { WebSocket } from 'ws';
import { hasScope } from '#libs/contract';
import { type Clock, DomainError, isObjectId } from '#libs/core';
import { CLOCK, UpgradeRouter } from '#libs/server';
import { BuildLogs } from './build-logs.js';
import { BuildsStore } from './builds.store.js';
import { LIMITS } from './limits.js';
import { maySee } from './policy.js';
import { isOver } from './present.js';
import { wholeCharacters } from './utf8.js';

const NORMAL = 1000;
/** Bytes that may wait in a socket before the log is read on: a slow subscriber costs memory otherwise. */
const WAITING = 1024 * 1024;

/** `GET /v1/build-ws/:id`: the log from its first byte, then live, then close 1000 (builder contract §5). */
@Injectable()
export class LogStream implements OnModuleInit {
  constructor(
    private readonly upgrades: UpgradeRouter,
    private readonly builds: BuildsStore,
    private readonly logs: BuildLogs,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.upgrades.route('/v1/build-ws/:id', async (context) => {
      const { params, query, actor } = context;
      if (actor === undefined) throw new DomainError('unauthorized');
      const id = params['id'] ?? '';
      const build = isObjectId(id) ? await this.builds.get(id) : undefined;
      if (build === undefined) throw new DomainError('not_found', 'There is no such build');
      const decision = maySee(actor, build.value);
      if (!decision.allowed || !hasScope(actor, 'build')) {
        throw new DomainError(
          'forbidden',
          decision.allowed ? 'The token lacks the scope build' : decision.reason,
        );
      }
      const offset = Number(query.get('offset') ?? 0);
      await this.#send(id, Number.isSafeInteger(offset) && offset > 0 ? offset : 0, await context.accept());
    });
  }

  async #send(id: string, offset: number, socket: WebSocket): Promise<void> {
    let wake = (): void => undefined;
    const stop = this.logs.follow(id, () => wake());
    const ping = setInterval(() => socket.ping(), LIMITS.pingSeconds * 1000);
    socket.on('close', () => wake());
    try {
      for (let at = offset; socket.readyState === socket.OPEN;) {
        const grown = new Promise<void>((resolve) => (wake = resolve));
        // Asked before the log is read: what is written after the end was seen would be lost otherwise.
        const over = await this.#isOver(id);
        const read = await this.logs.read(id, at, LIMITS.messageBytes);
        const whole = read.length < LIMITS.messageBytes && over ? read.length : wholeCharacters(read);
        if (whole > 0) {
          await send(socket, read.subarray(0, whole));
          at += whole;
        } else if (over) {
          socket.close(NORMAL);
          return;
        } else await grown;
      }
    } finally {
      stop();
      clearInterval(ping);
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
    socket.send(bytes.toString('utf8'), () => {
      if (waits) resolve();
    });
    if (!waits) resolve();
  });
}
