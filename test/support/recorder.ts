import { EventEmitter, once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request as send, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { connect, type TLSSocket } from 'node:tls';
import type { TestCertificate } from './certificates.js';
import { connectionsOf, openConnections } from './connections.js';

/** Whoever is no service: people, their programs, and the test itself. */
export const PEOPLE = 'people';

/** A request as it went through the recorder. */
export interface Recorded {
  /** The service that sent it, found by its process: what a request says about itself is not believed. */
  readonly from: string;
  readonly to: string;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Of the answer; 101 for a websocket, 0 while there is none. */
  status: number;
}

/** What is sent in place of a recorded request. */
export type Replay = Pick<Recorded, 'to' | 'method' | 'target' | 'headers' | 'body'>;

interface Door {
  readonly server: Server;
  readonly port: number;
}

interface Service {
  readonly pid: number;
  /** Where it listens: known to the recorder alone. */
  readonly port: number;
}

/** Of one connection, not of a request or an answer; Node sets them anew. */
const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade']);

/**
 * Stands before every service: a door for each, whose address is the only one that the others are told. Every request that
 * comes to a door is kept with its sender and passed on unchanged.
 */
export class Recorder {
  readonly recorded: Recorded[] = [];
  /** Connections of services that lead to no door; there must be none. */
  readonly strays = new Set<string>();
  readonly #doors = new Map<string, Door>();
  readonly #services = new Map<string, Service>();
  readonly #senders = new WeakMap<object, string>();
  readonly #sent = new Map<string, number>();
  readonly #passing = new Set<Promise<unknown>>();
  readonly #agent: Agent;
  readonly #events = new EventEmitter();

  private constructor(private readonly certificate: TestCertificate) {
    this.#agent = new Agent({ keepAlive: true, ca: certificate.cert });
  }

  /** @param certificate of the recorder and of all services behind it, for `localhost` */
  static async start(names: readonly string[], certificate: TestCertificate): Promise<Recorder> {
    const recorder = new Recorder(certificate);
    for (const name of names) await recorder.#open(name);
    return recorder;
  }

  /** The address of a service for everybody. */
  url(name: string): string {
    return `https://localhost:${this.#doorOf(name).port}`;
  }

  /** Says where a service listens, and which process it is. Until then its door answers 503. */
  register(name: string, service: Service): void {
    this.#services.set(name, service);
  }

  /** Resolves when the next request has been recorded. */
  async next(): Promise<void> {
    await once(this.#events, 'recorded');
  }

  /** Resolves when every request that has come so far was answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#passing);
  }

  /** Sends a request to a service and reads the answer. Counted, and not recorded. */
  async replay({ to, method, target, headers, body }: Replay): Promise<{ status: number; body: string }> {
    const answer = await this.#forward(to, { method, target, headers, body });
    return { status: answer.statusCode ?? 0, body: (await buffer(answer)).toString('utf8') };
  }

  /** How often each request was sent to a service, by everybody and by {@link replay}: `GET /version` → 3. Websockets left out. */
  sentTo(name: string): Record<string, number> {
    const own = [...this.#sent].filter(([key]) => key.startsWith(`${name} `));
    return Object.fromEntries(own.map(([key, count]) => [key.slice(name.length + 1), count]));
  }

  /** Looks at all connections of all services. */
  look(open = openConnections()): void {
    const doors = new Set([...this.#doors.values()].map(({ port }) => port));
    for (const [name, { pid, port }] of this.#services)
      for (const { localPort, remotePort } of connectionsOf(pid, open))
        if (localPort !== port && !doors.has(remotePort)) this.strays.add(`${name} to port ${remotePort}`);
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    for (const { server } of this.#doors.values()) {
      server.close();
      server.closeAllConnections();
    }
  }

  async #open(name: string): Promise<void> {
    const { cert, key } = this.certificate;
    const server = createServer({ cert, key }, (request, response) => {
      const passing = this.#pass(name, request, response)
        .catch(() => response.destroy())
        .finally(() => this.#passing.delete(passing));
      this.#passing.add(passing);
    });
    server.on('secureConnection', (socket) => this.#identify(socket));
    server.on('upgrade', (request: IncomingMessage, socket: TLSSocket, head: Buffer) => {
      this.#tunnel(name, request, socket, head);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#doors.set(name, { server, port: (server.address() as AddressInfo).port });
  }

  /** Whose connection it is, asked while both ends are there. */
  #identify(socket: TLSSocket): void {
    const { remotePort, localPort } = socket;
    const open = openConnections();
    const sender = [...this.#services].find(([, { pid }]) =>
      connectionsOf(pid, open).some((one) => one.localPort === remotePort && one.remotePort === localPort),
    );
    this.#senders.set(socket, sender?.[0] ?? PEOPLE);
    this.look(open);
  }

  #record(to: string, request: IncomingMessage, body: Buffer): Recorded {
    const { method = '', url: target = '', headers } = request;
    const from = this.#senders.get(request.socket) ?? PEOPLE;
    const recorded: Recorded = { from, to, method, target, headers, body, status: 0 };
    this.recorded.push(recorded);
    this.#events.emit('recorded');
    return recorded;
  }

  async #pass(to: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    if (!this.#services.has(to)) {
      response.writeHead(503).end();
      return;
    }
    const recorded = this.#record(to, request, body);
    const answer = await this.#forward(to, recorded);
    recorded.status = answer.statusCode ?? 0;
    response.writeHead(recorded.status, withoutHops(answer.headers));
    await pipeline(answer, response);
  }

  async #forward(
    to: string,
    { method, target, headers, body }: Omit<Replay, 'to'>,
  ): Promise<IncomingMessage> {
    const key = `${to} ${method} ${pathOf(target)}`;
    this.#sent.set(key, (this.#sent.get(key) ?? 0) + 1);
    const carries = body.length > 0 || headers['content-length'] !== undefined;
    const outgoing = send({
      ...this.#targetOf(to),
      agent: this.#agent,
      method,
      path: target,
      headers: { ...withoutHops(headers), ...(carries ? { 'content-length': body.length } : {}) },
    });
    // Of the rest of a body, when the answer did not wait for it.
    outgoing.on('error', () => undefined);
    outgoing.end(body);
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    return answer;
  }

  /** A websocket is recorded by its handshake; what goes through it is no request. */
  #tunnel(to: string, request: IncomingMessage, socket: TLSSocket, head: Buffer): void {
    const recorded = this.#record(to, request, Buffer.alloc(0));
    recorded.status = 101;
    const upstream = connect({ ...this.#targetOf(to), ca: this.certificate.cert }, () => {
      const lines = request.rawHeaders.flatMap((name, index, all) =>
        index % 2 === 0 ? [`${name}: ${all[index + 1] ?? ''}`] : [],
      );
      upstream.write([`${request.method} ${request.url} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
    });
    const end = (): void => {
      socket.destroy();
      upstream.destroy();
    };
    for (const one of [socket, upstream]) one.on('error', end).on('close', end);
  }

  #targetOf(name: string): { host: string; port: number; servername: string } {
    const service = this.#services.get(name);
    if (service === undefined) throw new Error(`${name} does not run`);
    return { host: '127.0.0.1', port: service.port, servername: 'localhost' };
  }

  #doorOf(name: string): Door {
    const door = this.#doors.get(name);
    if (door === undefined) throw new Error(`There is no door to ${name}`);
    return door;
  }
}

/** The path of a target without its query. */
export function pathOf(target: string): string {
  return target.split('?', 1)[0] ?? '';
}

function withoutHops(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP.has(name)));
}
