import { once } from 'node:events';
import {
  createServer as createPlain,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { certificate } from './certificate.js';
import { temporaryFolder } from './temporary.js';

type Pair = Awaited<ReturnType<typeof certificate>>;

/** A request as it arrived. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}
/** What the receiver does with a request. */
export type Answer = (response: ServerResponse, received: Received) => void | Promise<void>;

export const answering =
  (status: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(status, headers).end();
/** Takes the request and never answers. */
export const hanging: Answer = () => undefined;

/** A server that webhooks are sent to, on 127.0.0.1, with a certificate for `localhost` that only `caFile` vouches for. */
export class Receiver {
  readonly received: Received[] = [];
  /** Connections that were opened. */
  connections = 0;
  /** What it does with every request for which {@link script} has nothing. */
  usual: Answer = answering(204);
  /** What it does with the next requests, in their order. */
  readonly script: Answer[] = [];
  #waiting: (() => void)[] = [];

  private constructor(
    private readonly server: Server,
    private readonly pair: Pair,
    readonly url: string,
    readonly caFile: string,
    private readonly remove: () => Promise<void>,
  ) {
    server.on('connection', () => (this.connections += 1));
    server.on('request', (request, response) => void this.#take(request, response));
  }

  static async start({ plain = false } = {}): Promise<Receiver> {
    const folder = await temporaryFolder();
    const pair = await certificate('localhost');
    const caFile = join(folder.path, 'ca.pem');
    await writeFile(caFile, pair.cert);
    const server = plain ? createPlain() : createTls(pair);
    const url = await listen(server, plain);
    return new Receiver(server, pair, url, caFile, () => folder.remove());
  }

  /** Another one, at an address of its own, that whoever trusts this one trusts. */
  async another(): Promise<Receiver> {
    const server = createTls(this.pair);
    const url = await listen(server, false);
    return new Receiver(server, this.pair, url, this.caFile, async () => undefined);
  }

  /** Resolves when there were so many requests, in all; says the last of them. */
  async count(many: number): Promise<Received> {
    while (this.received.length < many) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const last = this.received[many - 1];
    if (last === undefined) throw new Error('There are no requests');
    return last;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await this.remove();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
    const one = { path: request.url ?? '', headers: request.headers, body };
    const answer = this.script.shift() ?? this.usual;
    this.received.push(one);
    for (const resolve of this.#waiting.splice(0)) resolve();
    response.on('error', () => undefined);
    await answer(response, one);
  }
}

async function listen(server: Server, plain: boolean): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return plain ? `http://127.0.0.1:${port}/hook` : `https://localhost:${port}/hook`;
}
