import { Buffer } from 'node:buffer';
import { createServer } from 'node:https';
import { AUTH_PATHS } from '#libs/contract';

/**
 * Stands where a service looks for auth, with a certificate that the service trusts: a proxy that was taken over, or a cache that means well.
 * It tells the truth until it gets `lies`: functions of the position that is asked for and the true answer (text of the body), one for each
 * look at the feed, around and around; each returns `{ feed, jwks }`, of which what is missing is true.
 */
export class Liar {
  /** Looks at the feed that were answered. */
  looks = 0;
  #lies = [];
  #jwks;
  #ask;
  #auth;
  #server;

  constructor({ ask, auth, certificate }) {
    this.#ask = ask;
    this.#auth = auth;
    this.#server = createServer(certificate, (request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  listen(port) {
    return new Promise((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
  }

  tell(...lies) {
    this.#lies = lies;
    this.#jwks = undefined;
  }

  async #answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, 'https://localhost');
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { authorization, 'content-type': type } = request.headers;
    const truth = await this.#ask(new URL(request.url, this.#auth), {
      method: request.method,
      body: Buffer.concat(chunks),
      headers: { ...(authorization && { authorization }), ...(type && { 'content-type': type }) },
    });
    const send = (body = truth.text, status = truth.status, headers = {}) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
    if (pathname === AUTH_PATHS.jwks) return send(this.#jwks);
    if (pathname !== AUTH_PATHS.revocations) return send();
    const lie = this.#lies[this.looks % (this.#lies.length || 1)];
    this.looks += 1;
    if (lie === undefined) return send();
    const { jwks, cut, body, status, headers } = await lie(Number(searchParams.get('after')));
    // Until the next one that says other keys: a service asks for keys when it likes.
    this.#jwks = jwks ?? this.#jwks;
    if (cut) return response.destroy();
    return send(body, status, headers);
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}
