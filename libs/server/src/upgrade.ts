import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Actor, AudienceName } from '#libs/contract';
import { DomainError, ERROR_CODES, isServerFault } from '#libs/core';
import { WebSocketServer, type WebSocket } from 'ws';
import { parseAuthorization } from './auth/authorization.js';
import type { GoesOn } from './auth/verifier.js';
import { failure, failureOf, JSON_TYPE, type Failure } from './http/envelope.js';
import { detailsOf } from './http/errors.filter.js';
import { LIMITS } from './limits.js';
import { redactUrl, type Logger } from './log.js';

/** A request to become a websocket, before it is one. */
export interface UpgradeContext {
  readonly request: IncomingMessage;
  /** The named parts of the route, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The verified caller; undefined when no token came, neither in the header nor as `?auth_token=`. */
  readonly actor: Actor | undefined;
  /** Answers 101. Call it at most once, after every check. */
  readonly accept: () => Promise<WebSocket>;
  /** Answers with an error status and the envelope. Throwing a DomainError does the same. */
  readonly refuse: (status: number, message?: string) => void;
}

export type UpgradeHandler = (context: UpgradeContext) => Promise<void>;
/** Resolves with the caller that a token names, if it is good for the service. @throws DomainError `unauthorized` */
type VerifyToken = (token: string, audience?: AudienceName, goesOn?: GoesOn) => Promise<Actor>;

export interface UpgradeRouteOptions {
  /** The service that the route belongs to: without it, exchanged tokens are refused, as by `@Audience`. */
  readonly audience?: AudienceName;
  /** What an expired token is taken for, as by `@AfterExpiry`. */
  readonly goesOn?: (actor: Actor, params: Readonly<Record<string, string>>) => Promise<boolean>;
}

interface Route extends UpgradeRouteOptions {
  readonly segments: readonly string[];
  readonly handler: UpgradeHandler;
}

/** Messages of ours only go out; what a client sends is small. */
const LARGEST_MESSAGE = 64 * 1024;
const GOING_AWAY = 1001;

/**
 * Websockets by route (`/v1/build-ws/:id`). Everything that is not accepted is answered over HTTP with the envelope, so that a
 * client learns why (builder contract §5.1). The query token is looked at on these routes only (builder contract §2.1).
 */
export class UpgradeRouter {
  readonly #routes: Route[] = [];
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: LARGEST_MESSAGE,
    perMessageDeflate: false,
  });
  readonly #log: Logger;
  readonly #verify: VerifyToken;
  #closing = false;

  constructor(log: Logger, verify: VerifyToken) {
    this.#log = log;
    this.#verify = verify;
  }

  /** Every path that was registered. */
  get paths(): readonly string[] {
    return this.#routes.map(({ segments }) => segments.join('/'));
  }

  /** How many websockets are open. */
  get open(): number {
    return this.#sockets.clients.size;
  }

  /** Registers `handler` for a path whose `:name` segments match one segment each. */
  route(path: string, handler: UpgradeHandler, options: UpgradeRouteOptions = {}): void {
    this.#routes.push({ ...options, segments: path.split('/'), handler });
  }

  /** Takes the upgrades of a server. */
  attach(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy());
      void this.#serve(request, socket, head);
    });
  }

  /** Ends every websocket with "going away" and refuses new ones. */
  close(): void {
    this.#closing = true;
    for (const socket of this.#sockets.clients) {
      socket.close(GOING_AWAY, 'The server is stopping');
      setTimeout(() => socket.terminate(), 1000).unref();
    }
  }

  async #serve(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    let accepted = false;
    const refuse = (answer: Failure): void => {
      if (!accepted && socket.writable) writeFailure(socket, answer);
    };
    try {
      if (this.#closing) throw new DomainError('unavailable', 'The server is stopping');
      const { path, query } = target(request.url ?? '/');
      const found = this.#match(path);
      if (found === undefined) throw new DomainError('not_found', 'There is no websocket at this address');
      const token = presentedToken(request, query);
      const { audience, goesOn, params } = found;
      const actor =
        token === undefined
          ? undefined
          : await this.#verify(token, audience, goesOn && ((holder) => goesOn(holder, params)));
      await found.handler({
        request,
        params,
        query,
        actor,
        accept: async () => {
          accepted = true;
          return await this.#accept(request, socket, head);
        },
        refuse: (status, message) => refuse(failure(status, message ?? 'Refused', reasonFor(status))),
      });
    } catch (error) {
      const answer = failureOf(error);
      if (isServerFault(answer.status))
        this.#log.error({ url: redactUrl(request.url ?? ''), error: detailsOf(error) }, 'A websocket failed');
      refuse(answer);
      if (accepted) socket.destroy();
    }
  }

  #accept(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<WebSocket> {
    return new Promise((resolve, reject) => {
      socket.once('close', () => reject(new DomainError('bad_request', 'The client went away')));
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => webSocket.terminate());
        resolve(webSocket);
      });
    });
  }

  #match(path: string): (Route & { readonly params: Record<string, string> }) | undefined {
    const segments = path.split('/');
    for (const route of this.#routes) {
      const params = matchSegments(route.segments, segments);
      if (params !== undefined) return { ...route, params };
    }
    return undefined;
  }
}

/** Whether a request asks to become a websocket; every other `Upgrade` header is ignored, as HTTP allows. */
export function wantsWebSocket(request: IncomingMessage): boolean {
  return request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket';
}

function target(url: string): { path: string; query: URLSearchParams } {
  if (url.length > LIMITS.url) throw new DomainError('bad_request', 'Expected a shorter URL');
  const question = url.indexOf('?');
  return question === -1
    ? { path: url, query: new URLSearchParams() }
    : { path: url.slice(0, question), query: new URLSearchParams(url.slice(question + 1)) };
}

function matchSegments(
  route: readonly string[],
  path: readonly string[],
): Record<string, string> | undefined {
  if (route.length !== path.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, expectedSegment] of route.entries()) {
    const segment = path[index] ?? '';
    if (!expectedSegment.startsWith(':')) {
      if (segment !== expectedSegment) return undefined;
    } else if (segment === '' || segment.length > LIMITS.routeParameter) return undefined;
    else params[expectedSegment.slice(1)] = decode(segment);
  }
  return params;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw new DomainError('bad_request', 'Expected a valid URL', { cause: error });
  }
}

function presentedToken(request: IncomingMessage, query: URLSearchParams): string | undefined {
  const presented = parseAuthorization(request.headers.authorization);
  if (presented.kind === 'bearer') return presented.token;
  const token = query.get('auth_token');
  return token === null || token === '' ? undefined : token;
}

function reasonFor(status: number): string {
  const found = Object.entries(ERROR_CODES).find(([, entry]) => entry.status === status);
  return found?.[0] ?? 'refused';
}

/**
 * Writes an error answer on a bare connection and ends it. Nobody else watches such a connection: one whose client does not
 * hang up would stay for ever, and the server could not stop.
 */
export function writeFailure(socket: Duplex, { status, body }: Failure): void {
  const hangUp = setTimeout(() => socket.destroy(), LIMITS.hangUpTime).unref();
  socket.once('close', () => clearTimeout(hangUp));
  // What still arrives is dropped; without reading, the end of the other side would not be noticed.
  socket.resume();
  const text = JSON.stringify(body);
  const challenge = status === 401 ? 'WWW-Authenticate: Bearer realm="scs"\r\n' : '';
  socket.end(
    `HTTP/1.1 ${status} ${body.error.reason ?? 'error'}\r\n` +
      `Content-Type: ${JSON_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\n${challenge}Connection: close\r\n\r\n${text}`,
  );
}
