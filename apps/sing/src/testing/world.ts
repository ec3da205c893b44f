import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, type RunOptions, type RunResult } from '#libs/cli';
import { sing } from '../program.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** A person with an empty home, and services that the test answers for. */
export class World {
  readonly folder: string;
  readonly #closing: (() => unknown)[] = [];
  env: Record<string, string>;

  private constructor(folder: string) {
    this.folder = folder;
    // An instance that somebody runs in this checkout must not take part.
    this.env = { HOME: folder, SCS_HOME: join(folder, 'no-instance') };
  }

  static async create(): Promise<World> {
    return new World(await mkdtemp(join(tmpdir(), 'sing-')));
  }

  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  /** Calls `sing` in this process. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run(sing, argv, { cwd: this.folder, ...options, env: { ...this.env, ...options.env } });
  }

  /** As {@link run}; throws with what was printed unless the status is 0. */
  async ok(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const result = await this.run(argv, options);
    if (result.status !== 0) throw new Error(`sing ${argv.join(' ')}: ${result.status}\n${result.stderr}`);
    return result;
  }

  /** A real server; returns its address. */
  async serve(handler: Handler): Promise<string> {
    const address = await this.#listen(createServer((request, response) => void handler(request, response)));
    return `http://127.0.0.1:${address.port}`;
  }

  /** The same over TLS; its address names `localhost`. */
  async serveTls(identity: { key: string; cert: string }, handler: Handler): Promise<string> {
    const address = await this.#listen(
      createTlsServer(identity, (request, response) => void handler(request, response)),
    );
    return `https://localhost:${address.port}`;
  }

  /** Lets SCS_HOME name a running instance. */
  async instance({ url, token, ca }: { url: string; token: string; ca?: string }): Promise<void> {
    const home = this.path('state');
    await mkdir(home, { recursive: true });
    await writeFile(join(home, 'token'), `${token}\n`);
    if (ca !== undefined) await writeFile(join(home, 'ca.pem'), ca);
    const endpoint = {
      url,
      caFile: join(home, 'ca.pem'),
      tokenFile: join(home, 'token'),
      username: 'ann',
      pid: 1,
    };
    await writeFile(join(home, 'endpoint.json'), JSON.stringify(endpoint));
    this.env['SCS_HOME'] = home;
  }

  async #listen(server: Server): Promise<AddressInfo> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#closing.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return server.address() as AddressInfo;
  }

  /** A front end whose services are all at one address, and `handler` for everything that is no discovery. */
  async site(
    handler: Handler,
    services: readonly string[] = ['library', 'keystore', 'token', 'builder'],
  ): Promise<string> {
    let base = '';
    base = await this.serve((request, response) => {
      if (request.url !== '/assets/config/config.prod.json') return handler(request, response);
      const document = Object.fromEntries(services.map((name) => [`${name}API`, { uri: base }]));
      return response.end(JSON.stringify(document));
    });
    return base;
  }

  async close(): Promise<void> {
    for (const close of this.#closing) await close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The whole body of a request as text. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
