import type { Duplex } from 'node:stream';
import { systemCode } from '#libs/core';
import { writeFailure } from '../upgrade.js';
import { failure, type Failure } from './envelope.js';

/** Answers what is no HTTP request at all (bad request line, bad or too large headers, none in time) and hangs up. */
export function answerClientError(error: Error, socket: Duplex): void {
  if (systemCode(error) === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  writeFailure(socket, describe(systemCode(error) ?? ''));
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
