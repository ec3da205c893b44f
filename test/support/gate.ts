import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Which way bytes go. */
export type Direction = 'up' | 'down';

/**
 * Stands between clients and a server on this machine, passes everything on, and can hold it back: a slow network that a test
 * decides about. TLS passes through it.
 */
export class Gate {
  /** Clients connect to it. */
  readonly port: number;
  readonly #server: ReturnType<typeof createServer>;
  readonly #pairs = new Set<Socket>();
  #passed: Record<Direction, number> = { up: 0, down: 0 };
  #limit: { readonly direction: Direction; readonly bytes: number; readonly reached: () => void } | undefined;
  #held: (() => void)[] = [];

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @param target port of the server; asked with every connection, so that it may be known later */
  static async open(target: () => number): Promise<Gate> {
    const server = createServer({ pauseOnConnect: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const gate = new Gate(server);
    server.on('connection', (client) => gate.#join(client, connect(target(), '127.0.0.1')));
    return gate;
  }

  /** Resolves when so many bytes have gone that way from now on; from then on nothing goes that way until {@link open}. */
  holdAfter(direction: Direction, bytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#passed[direction] = 0;
    this.#limit = { direction, bytes, reached: resolve };
    return promise;
  }

  /** Lets go of what is held back. */
  release(): void {
    this.#limit = undefined;
    for (const resume of this.#held.splice(0)) resume();
  }

  /** Breaks every connection; new ones pass. */
  cut(): void {
    this.#limit = undefined;
    this.#held = [];
    for (const socket of this.#pairs) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, server: Socket): void {
    for (const [from, to, direction] of [
      [client, server, 'up'],
      [server, client, 'down'],
    ] as const) {
      this.#pairs.add(from);
      from.on('data', (chunk) => this.#pass(chunk, { from, to, direction }));
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#pairs.delete(from);
        to.destroy();
      });
    }
    client.resume();
  }

  #pass(
    chunk: Buffer,
    way: { readonly from: Socket; readonly to: Socket; readonly direction: Direction },
  ): void {
    const { from, to, direction } = way;
    this.#passed[direction] += chunk.length;
    const limit = this.#limit?.direction === direction ? this.#limit : undefined;
    if (limit !== undefined && this.#passed[direction] > limit.bytes) {
      from.pause();
      this.#held.push(() => {
        to.write(chunk);
        from.resume();
      });
      limit.reached();
    } else if (!to.write(chunk)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
  }
}
