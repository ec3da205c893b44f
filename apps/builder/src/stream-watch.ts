import type { WebSocket } from 'ws';
import { LIMITS } from './limits.js';

const POLICY_VIOLATION = 1008;

/** Asks from time to time whether somebody still reads, and whether they still may. */
export class StreamWatch {
  #unanswered = 0;
  readonly #pings: NodeJS.Timeout;
  readonly #looks: NodeJS.Timeout;

  constructor(
    socket: Pick<WebSocket, 'on' | 'ping' | 'close' | 'terminate'>,
    /** Whether the token of the reader, or its account, was ended since. */
    hasEnded: () => boolean,
  ) {
    socket.on('pong', () => this.heard());
    this.#looks = setInterval(() => {
      // Expiry alone ends nothing: a build may last longer than the token with which it is watched.
      if (hasEnded()) socket.close(POLICY_VIOLATION, 'The token was revoked; the build goes on');
    }, LIMITS.revokedSeconds * 1000);
    this.#pings = setInterval(() => {
      if (this.#unanswered >= LIMITS.unansweredPings) socket.terminate();
      else {
        this.#unanswered += 1;
        socket.ping();
      }
    }, LIMITS.pingSeconds * 1000);
  }

  /** There is somebody: a pong came, or text was taken. */
  heard(): void {
    this.#unanswered = 0;
  }

  stop(): void {
    clearInterval(this.#pings);
    clearInterval(this.#looks);
  }
}
