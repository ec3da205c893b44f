import { once } from 'node:events';
import { createServer, type IncomingMessage, request as ask, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What happens to a request on its way: it arrives; the connection breaks before it arrives; it arrives and the answer is lost;
 * nobody ever answers; the answer breaks off after some bytes; or another answer comes.
 */
export type Fate =
  | 'arrives'
  | 'cut'
  | 'lost'
  | 'hangs'
  | { readonly after: number }
  | { readonly status: number; readonly code: string };

/** A request as it passes. */
export interface PassingRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
}

/** Something between a client and an object store that can be told to fail. */
export interface S3Proxy {
  readonly endpoint: string;
  /** Every request that came, in order. */
  readonly seen: PassingRequest[];
  /** Decides about each request; everything arrives at first. */
  fate: (request: PassingRequest) => Fate;
  /** What a request waits for before it goes on. */
  hold: (request: PassingRequest) => Promise<void> | undefined;
  stop(): Promise<void>;
}

/** Starts a proxy in front of a store that speaks http. Signatures stay good: the host is passed on as the client named it. */
export async function startS3Proxy(target: string): Promise<S3Proxy> {
  const { hostname, port } = new URL(target);
  const server = createServer((request, response) => {
    const passing = { method: request.method ?? '', url: request.url ?? '' };
    proxy.seen.push(passing);
    const fate = proxy.fate(passing);
    request.on('error', () => undefined);
    if (fate === 'hangs') request.resume();
    else if (fate === 'cut') request.socket.destroy();
    else if (typeof fate === 'object' && 'status' in fate) refuse(request, response, fate);
    else
      void (proxy.hold(passing) ?? Promise.resolve()).then(() =>
        forward(request, response, { hostname, port, ...passing }, fate),
      );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: S3Proxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: [],
    fate: () => 'arrives',
    hold: () => undefined,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return proxy;
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, code }: { readonly status: number; readonly code: string },
): void {
  request.resume().once('end', () => {
    response.writeHead(status, { 'content-type': 'application/xml' });
    response.end(
      `<?xml version="1.0"?><Error><Code>${code}</Code><Message>As the test wants it</Message></Error>`,
    );
  });
}

function forward(
  request: IncomingMessage,
  response: ServerResponse,
  to: PassingRequest & { readonly hostname: string; readonly port: string },
  fate: 'arrives' | 'lost' | { readonly after: number },
): void {
  const { hostname, port, method, url: path } = to;
  const onward = ask({ hostname, port, method, path, headers: request.headers }, (answer) => {
    if (fate === 'lost') {
      answer.resume().once('end', () => request.socket.destroy());
      return;
    }
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    if (fate === 'arrives') {
      answer.pipe(response);
      return;
    }
    let left = fate.after;
    answer.on('data', (chunk: Buffer) => {
      response.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) response.end().destroy();
    });
    answer.once('end', () => response.end());
  });
  onward.on('error', () => request.socket.destroy());
  request.pipe(onward);
}
