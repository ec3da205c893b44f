import { setTimeout as delay } from 'node:timers/promises';
import type WebSocket from 'ws';
import { DomainError } from '#libs/core';
import { ResponseError } from './http/failures.js';

/** How often a stream that broke is taken up again without having brought anything new. */
const RECONNECTS = 5;

/** Milliseconds between two pings of ours; a connection that is silent for three of them is dead. */
const PING = 30_000;

interface LogOptions {
  /** Gets the log as it comes: parts of lines or many lines, each byte once. */
  readonly onText: (text: string) => void;
  readonly signal?: AbortSignal;
  /** Milliseconds before the first attempt to take it up again; doubles with each. */
  readonly backoff?: number;
}

/** How one connection ended. */
interface Ending {
  readonly code: number;
  readonly reason: string;
}

/**
 * Follows a build log to its end. Unlike stock clients it takes a broken stream up again: "the server must keep all output
 * and send it from the first byte to every new subscriber" (builder contract §5.4), so what was seen is skipped.
 * @param open opens the stream anew
 * @throws DomainError when the stream cannot be taken up again; the signal's reason when aborted
 */
export async function followLog(
  open: () => Promise<WebSocket>,
  { onText, signal, backoff = 500 }: LogOptions,
): Promise<void> {
  let seen = 0;
  let failures = 0;
  for (;;) {
    const before = seen;
    const ending = await attempt(open, signal, (text, at) => {
      const fresh = at + text.length - seen;
      if (fresh <= 0) return;
      onText(fresh >= text.length ? text : text.slice(text.length - fresh));
      seen = at + text.length;
    });
    signal?.throwIfAborted();
    if (!(ending instanceof Error) && ending.code === 1000) return;
    failures = seen > before ? 1 : failures + 1;
    // A refusal is not a broken line: asking again would be refused again.
    if (ending instanceof ResponseError && ending.httpStatus < 500) throw ending;
    if (failures > RECONNECTS) throw ending instanceof Error ? ending : broken(ending);
    await delay(backoff * 2 ** (failures - 1), undefined, signal === undefined ? {} : { signal }).catch(
      () => undefined,
    );
    signal?.throwIfAborted();
  }
}

/** One connection, from handshake to close. Counts in UTF-16 units: the same text gives the same counts again. */
async function attempt(
  open: () => Promise<WebSocket>,
  signal: AbortSignal | undefined,
  onText: (text: string, at: number) => void,
): Promise<Ending | DomainError> {
  let socket: WebSocket;
  try {
    socket = await open();
  } catch (error) {
    if (error instanceof DomainError && signal?.aborted !== true) return error;
    throw error;
  }
  return new Promise((resolve) => {
    let at = 0;
    let silent = 0;
    const heard = () => (silent = 0);
    const heartbeat = setInterval(() => {
      silent += 1;
      if (silent > 3) socket.terminate();
      else if (socket.readyState === socket.OPEN) socket.ping();
    }, PING);
    // "On SIGINT: socket dropped without close frame" (builder contract §6.7); cancelling is the caller's business.
    const abort = () => socket.terminate();
    signal?.addEventListener('abort', abort, { once: true });
    socket.on('ping', heard);
    socket.on('pong', heard);
    socket.on('message', (data: Buffer, binary: boolean) => {
      heard();
      // "binary: ignored silently" (builder contract §5.2).
      if (binary) return;
      const text = data.toString('utf8');
      onText(text, at);
      at += text.length;
    });
    socket.once('close', (code: number, reason: Buffer) => {
      clearInterval(heartbeat);
      signal?.removeEventListener('abort', abort);
      resolve({ code, reason: reason.toString('utf8') });
    });
    socket.resume();
    if (signal?.aborted === true) socket.terminate();
  });
}

function broken({ code, reason }: Ending): DomainError {
  const why = reason === '' ? '' : `: ${reason}`;
  return new DomainError('unavailable', `The build log ended early (websocket close ${code})${why}`, {
    reason: 'log_broken',
    remedy: 'The build goes on at the server',
  });
}
