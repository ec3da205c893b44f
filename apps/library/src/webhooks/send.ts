import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { isIP } from 'node:net';
import { getCACertificates } from 'node:tls';
import type { DeliveryError } from '#libs/contract';
import { certificateProblem } from '#libs/core';
import type { Reachable } from './addresses.js';

/** What came of an attempt. */
export type Sent =
  | { readonly status: number; readonly error: null | 'status' }
  | { readonly status: null; readonly error: Exclude<DeliveryError, 'status'> };

export interface Sending {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds for everything: name, connection, answer. */
  readonly timeout: number;
  /** Ends it when the process does. */
  readonly signal: AbortSignal;
}

/** Heads of answers that are longer are refused; of a body not a byte is read. */
const ANSWER_HEAD = 16 * 1024;

/**
 * Sends one POST, to an address that was looked up and judged before the connection is made: no other one is connected to, whatever
 * the name leads to a moment later. Redirects are not followed, proxies not asked; of the answer only the status counts.
 */
export class Sender {
  readonly #reachable: Reachable;
  readonly #authorities: string[] | undefined;

  /** @param authorities in PEM, by which receivers are trusted besides the public ones */
  constructor(reachable: Reachable, authorities: string | undefined) {
    this.#reachable = reachable;
    this.#authorities =
      authorities === undefined ? undefined : [...getCACertificates('default'), authorities];
  }

  /** Never rejects. */
  async send({ timeout, signal, ...sending }: Sending): Promise<Sent> {
    const stop = new AbortController();
    const end = (): void => stop.abort();
    const timer = setTimeout(end, timeout);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      return await this.#sendUntil(sending, stop.signal);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }

  async #sendUntil(
    { url, body, headers }: Pick<Sending, 'url' | 'body' | 'headers'>,
    stop: AbortSignal,
  ): Promise<Sent> {
    const { protocol, hostname, port, pathname, search } = new URL(url);
    const plainHttp = protocol === 'http:';
    if (plainHttp && !this.#reachable.allowsPlain(hostname)) return failed('address_refused');
    const address = await Promise.race([this.#reachable.addressOf(hostname), aborted(stop)]);
    if (address === 'aborted') return failed('timeout');
    if (address === undefined) return failed('address_refused');
    const name = hostname.replace(/^\[|\]$/g, '');
    const request = plainHttp ? requestPlain : requestTls;
    return new Promise<Sent>((resolve) => {
      const sending = request({
        method: 'POST',
        host: address,
        port: port === '' ? (plainHttp ? 80 : 443) : Number(port),
        path: pathname + search,
        headers: { host: hostOf(url), 'content-length': Buffer.byteLength(body), ...headers },
        agent: false,
        maxHeaderSize: ANSWER_HEAD,
        signal: stop,
        ...(isIP(name) === 0 ? { servername: name } : { servername: '' }),
        ...(this.#authorities === undefined ? {} : { ca: this.#authorities }),
      });
      sending.once('response', (answer) => {
        const { statusCode: status = 0 } = answer;
        answer.on('error', () => undefined);
        answer.destroy();
        resolve({ status, error: status >= 200 && status < 300 ? null : 'status' });
      });
      // After the answer too: the connection is cut.
      sending.on('error', (error) => resolve(failed(stop.aborted ? 'timeout' : faultOf(error))));
      // Of a receiver that switches to another protocol nothing else is said.
      sending.once('close', () => resolve(failed(stop.aborted ? 'timeout' : 'connection_failed')));
      sending.end(body);
    });
  }
}

const hostOf = (url: string): string => new URL(url).host;

function failed(error: Exclude<DeliveryError, 'status'>): Sent {
  return { status: null, error };
}

function faultOf(error: Error): Exclude<DeliveryError, 'status'> {
  return certificateProblem(error) === undefined ? 'connection_failed' : 'certificate_refused';
}

function aborted(signal: AbortSignal): Promise<'aborted'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('aborted');
    signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
}
