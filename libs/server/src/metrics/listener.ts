import {
  createServer as createPlainServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { messageOf } from '#libs/core';
import { failure, JSON_TYPE, type Failure } from '../http/envelope.js';
import { LIMITS } from '../limits.js';
import type { Logger } from '../log.js';
import type { ServerCertificate } from '../tls/certificates.js';
import { METRICS } from './limits.js';
import type { Metrics } from './metrics.js';

const PATH = '/metrics';
/** The text format of Prometheus. */
const TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * The server behind SCS_METRICS_PORT: `GET /metrics` and nothing else. It asks for no token; who may reach it is the operator's to say
 * (ADR 19). It is small enough that somebody who hangs on it costs a connection.
 * @param certificate undefined: plain HTTP
 */
export function createMetricsServer(
  metrics: Metrics,
  certificate: ServerCertificate | undefined,
  log: Logger,
): Server {
  const options = {
    maxHeaderSize: LIMITS.headers,
    headersTimeout: METRICS.idleTime,
    requestTimeout: METRICS.idleTime,
    keepAliveTimeout: LIMITS.keepAliveTime,
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    serve(metrics, request, response).catch((error: unknown) => {
      log.error(`The metrics could not be written: ${messageOf(error)}`);
      if (response.headersSent) response.destroy();
      else refuse(response, failure(500, 'The metrics could not be written', 'internal'));
    });
  };
  const server: Server =
    certificate === undefined
      ? createPlainServer(options, answer)
      : createTlsServer({ ...options, ...certificate, handshakeTimeout: METRICS.idleTime }, answer);
  server.maxConnections = METRICS.connections;
  server.setTimeout(METRICS.idleTime);
  return server;
}

async function serve(metrics: Metrics, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?', 1);
  // Nobody has anything to send here.
  request.resume();
  if (path !== PATH) return refuse(response, failure(404, `There is nothing here but ${PATH}`, 'not_found'));
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return refuse(
      response,
      failure(405, `Expected GET or HEAD, got ${request.method ?? ''}`, 'method_not_allowed'),
    );
  }
  const body = Buffer.from(await metrics.render());
  response.writeHead(200, {
    'content-type': TYPE,
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function refuse(response: ServerResponse, { status, body }: Failure): void {
  const text = JSON.stringify(body);
  response
    .writeHead(status, {
      'content-type': JSON_TYPE,
      'content-length': Buffer.byteLength(text),
      'x-content-type-options': 'nosniff',
      // What is still being sent is not waited for.
      connection: 'close',
    })
    .end(text);
}
