import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const open: { close(): unknown }[] = [];

/** Remembers something that {@link closeServers} closes. */
export function closeAfterwards(thing: { close(): unknown }): void {
  open.push(thing);
}

/** Closes what a test opened, last first. For `afterEach`. */
export async function closeServers(): Promise<void> {
  for (const each of open.splice(0).toReversed()) await each.close();
}

/** Lets a server listen on a free port of this machine; returns `127.0.0.1:<port>`. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closeAfterwards({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  const { port } = server.address() as AddressInfo;
  return `127.0.0.1:${port}`;
}

/** A tiny real server; returns its base address. */
export async function serve(
  handler: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<string> {
  return `http://${await listen(createServer((request, response) => void handler(request, response)))}`;
}

/** The whole body of a request as text. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
