import { createServer, type Server } from 'node:http';
import { LIMITS } from '../limits.js';

/**
 * A server that does nothing but send people from http to https (307, so that the method stays). The target is the public URL,
 * whatever the Host header says.
 */
export function createRedirect(publicUrl: string): Server {
  return createServer(
    { maxHeaderSize: LIMITS.headers, headersTimeout: LIMITS.headersTime },
    (request, response) => {
      const path = request.url?.startsWith('/') === true ? request.url : '/';
      response
        .writeHead(307, { location: `${publicUrl}${path}`, 'content-length': 0, connection: 'close' })
        .end();
    },
  );
}
