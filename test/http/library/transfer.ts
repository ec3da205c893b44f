import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { StartedApp } from '../../support/app.js';

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** A request whose body the test writes. */
export function openRequest(app: StartedApp, path: string, { method = 'GET', headers = {} }: RawRequest) {
  const url = new URL(path, app.url);
  const options = { method, headers, agent: false as const, ca: app.ca };
  const sending = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
  // An early answer may end the connection while the body is on its way.
  sending.on('error', () => undefined);
  return sending;
}

/** A request on a connection of its own; the body of the answer as bytes. */
export async function rawRequest(
  app: StartedApp,
  path: string,
  options: RawRequest = {},
): Promise<RawAnswer> {
  const sending = openRequest(app, path, options);
  sending.end(options.body);
  const [answer] = (await once(sending, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) };
}

/** Sends the headers and `sent` bytes of a body, and then goes away. */
export async function cutUpload(
  app: StartedApp,
  path: string,
  options: { method: string; body: Buffer; sent: number; headers?: Readonly<Record<string, string>> },
): Promise<void> {
  const { method, body, sent, headers = {} } = options;
  const sending = openRequest(app, path, {
    method,
    headers: { ...headers, 'content-length': String(body.length) },
  });
  await new Promise<void>((resolve) => {
    sending.write(body.subarray(0, Math.max(1, sent)), () => resolve());
  });
  sending.destroy();
  await once(sending, 'close').catch(() => undefined);
}

/** Reads about `received` bytes of an answer, and then goes away. */
export async function cutDownload(app: StartedApp, path: string, received: number): Promise<void> {
  const sending = openRequest(app, path, {});
  sending.end();
  const [answer] = (await once(sending, 'response')) as [IncomingMessage];
  answer.on('error', () => undefined);
  let count = 0;
  for await (const chunk of answer.iterator({ destroyOnReturn: true })) {
    count += (chunk as Buffer).length;
    if (count >= received) break;
  }
  sending.destroy();
}

/** Points to cut at: the first and the last byte, and anywhere between. */
export function randomCut(size: number, round: number): number {
  if (round === 0) return 1;
  return round === 1 ? size - 1 : randomInt(1, size);
}
