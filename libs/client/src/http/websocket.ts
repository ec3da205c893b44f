import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type WebSocket from 'ws';
import { DomainError } from '#libs/core';
import type { ConnectionOptions } from './connections.js';
import { networkError, responseError } from './failures.js';
import { CLIENT_LIMITS } from './limits.js';

export interface SocketOptions extends Pick<ConnectionOptions, 'proxies'> {
  readonly ca?: string | string[];
  /** `ws:` or `wss:` address. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds until the handshake must be done. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

/**
 * Opens a websocket. A handshake that is answered with anything but 101 is the error of that answer, unlike in the
 * stock clients, which show neither status nor body (builder contract §5.1).
 */
export async function openSocket(options: SocketOptions): Promise<WebSocket> {
  const { url, headers, timeout, signal, ca } = options;
  signal?.throwIfAborted();
  const { default: Socket } = await import('ws');
  const tunnel = await openTunnel(options);
  const socket = new Socket(url, {
    headers,
    handshakeTimeout: timeout,
    perMessageDeflate: false,
    ...(ca === undefined ? {} : { ca, allowPartialTrustChain: true }),
    ...(tunnel === undefined ? {} : { createConnection: () => tunnel as never }),
  });
  const what = `GET ${url.origin}${url.pathname}`;
  return new Promise<WebSocket>((resolve, reject) => {
    const abort = () => {
      reject(signal?.reason as Error);
      socket.terminate();
    };
    signal?.addEventListener('abort', abort, { once: true });
    const settle = (done: () => void) => {
      signal?.removeEventListener('abort', abort);
      done();
    };
    socket.once('open', () => {
      // The first messages may have come with the handshake: they wait until the caller listens and resumes.
      socket.pause();
      settle(() => resolve(socket));
    });
    // Stays for good: an error after the promise is settled must not end the process; `close` follows it.
    socket.on('error', (error) => settle(() => reject(networkError(error, url.origin))));
    socket.once('unexpected-response', (_request, response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (body.length < CLIENT_LIMITS.error) body += chunk;
      });
      const end = () => {
        settle(() => reject(responseError(response.statusCode ?? 0, body, what)));
        socket.terminate();
      };
      response.once('end', end);
      response.once('error', end);
    });
  });
}

/** A connection through the proxy that the address needs, or undefined when it is reached directly. */
async function openTunnel({ url, proxies, timeout, ca }: SocketOptions): Promise<Duplex | undefined> {
  const secure = url.protocol === 'wss:';
  const proxy = secure ? proxies?.https : proxies?.http;
  if (proxy === undefined || isDirect(url.hostname, proxies?.none ?? '')) return undefined;
  const at = new URL(proxy);
  const target = `${url.hostname}:${url.port === '' ? (secure ? 443 : 80) : url.port}`;
  const credentials = `${decodeURIComponent(at.username)}:${decodeURIComponent(at.password)}`;
  const socket = await new Promise<Duplex>((resolve, reject) => {
    const connecting = request({
      host: at.hostname,
      port: at.port === '' ? 80 : Number(at.port),
      method: 'CONNECT',
      path: target,
      timeout,
      headers: {
        host: target,
        ...(at.username === ''
          ? {}
          : { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }),
      },
    });
    connecting.once('connect', (response, connection) => {
      if (response.statusCode === 200) return resolve(connection);
      connection.destroy();
      const message = `The proxy ${at.host} refuses to connect to ${target}: status ${response.statusCode}`;
      return reject(new DomainError('unavailable', message, { reason: 'proxy_refused' }));
    });
    connecting.once('timeout', () => connecting.destroy(new Error('The proxy does not answer')));
    connecting.once('error', (error) => reject(networkError(error, at.origin)));
    connecting.end();
  });
  if (!secure) return socket;
  const trust = ca === undefined ? {} : { ca, allowPartialTrustChain: true };
  return connectTls({ socket, servername: url.hostname, ...trust });
}

/** Whether a host is reached without proxy: this machine, or named by `NO_PROXY`. */
function isDirect(host: string, none: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (name === 'localhost' || name === '127.0.0.1' || name === '::1') return true;
  return none
    .split(/[,\s]+/)
    .map((entry) =>
      entry
        .toLowerCase()
        .replace(/:\d+$/, '')
        .replace(/^\*?\./, ''),
    )
    .some((entry) => entry !== '' && (entry === '*' || name === entry || name.endsWith(`.${entry}`)));
}
