import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { systemCode } from '#libs/core';
import { writeFailure } from '../upgrade.js';
import { failure, JSON_TYPE, type Failure } from './envelope.js';

/** Answers what is no HTTP request at all (bad request line, bad or too large headers, none in time) and hangs up. */
export function answerClientError(error: Error, socket: Duplex): void {
  if (systemCode(error) === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  writeFailure(socket, describe(systemCode(error) ?? ''));
}

/** RFC 9110 §10.1.1: an expectation that we do not know "MAY" be answered with 417. */
export function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const { status, body } = failure(417, 'Expected no such expectation', 'expectation_failed');
  const text = JSON.stringify(body);
  response
    .writeHead(status, {
      'content-type': JSON_TYPE,
      'content-length': Buffer.byteLength(text),
      connection: 'close',
    })
    .end(text);
}

function describe(code: string): Failure {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return failure(431, 'Expected smaller headers', 'headers_too_large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return failure(408, 'The request did not arrive in time', 'request_timeout');
    default:
      return failure(400, 'Expected an HTTP request', 'bad_request');
  }
}
