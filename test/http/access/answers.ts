import { WebSocket } from 'ws';
import type { AppAnswer } from '../../support/app.js';
import type { Asked, World } from './world.js';

/** Sends a request; one that begins `ws:` asks for a websocket, and is answered 101 when it opens. */
export async function answerTo(
  { app }: World,
  asked: Asked,
  credentials: Readonly<Record<string, string>>,
): Promise<AppAnswer> {
  const headers = { ...credentials, ...asked.headers };
  if (!asked.path.startsWith('ws:')) return app.request(asked.path, { ...asked, headers });
  return new Promise((resolve, reject) => {
    const address = `${app.url.replace(/^http/, 'ws')}${asked.path.slice('ws:'.length)}`;
    const socket = new WebSocket(address, { ca: app.ca, headers });
    socket.on('open', () => socket.terminate());
    socket.on('close', () => resolve({ status: 101, headers: {}, body: '' }));
    socket.on('unexpected-response', (_, response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: JSON.parse(text) as unknown,
        }),
      );
    });
    socket.on('error', reject);
  });
}

/** Headers that differ between two answers that say the same. */
const VOLATILE = new Set(['date', 'content-length', 'keep-alive']);

/**
 * What an answer tells, without the names that were asked for: two requests that differ in nothing but the object get the same
 * when that object makes no difference.
 * @param own where the request differs from the other one
 */
export function toldBy({ status, headers, body }: AppAnswer, own: readonly string[]): unknown {
  const hide = (text: string): string =>
    // Longest first: one may be a part of another.
    own
      .toSorted((one, other) => other.length - one.length)
      .reduce((rest, name) => rest.replaceAll(name, '…'), text);
  const kept = Object.entries(headers).filter(([name]) => !VOLATILE.has(name));
  return {
    status,
    headers: Object.fromEntries(kept.map(([name, value]) => [name, hide(String(value))])),
    body: hide(typeof body === 'string' ? body : JSON.stringify(body)),
  };
}

/** The words of two requests, path and body, that are not in both. */
export function differences(one: Asked, other: Asked): { one: string[]; other: string[] } {
  const [first, second] = [wordsOf(one), wordsOf(other)];
  return {
    one: [...first].filter((word) => !second.has(word)),
    other: [...second].filter((word) => !first.has(word)),
  };
}

function wordsOf({ path, json, body }: Asked): Set<string> {
  const text = [path, JSON.stringify(json ?? ''), typeof body === 'string' ? body : ''].join(' ');
  return new Set(text.split(/[^\w.-]+/).filter((word) => word.length > 2));
}
