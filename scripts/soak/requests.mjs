import { once } from 'node:events';
import { Agent, request } from 'node:https';

/** Requests to servers whose authority is `ca`, on connections that are kept. */
export class Requests {
  #ca;
  #agent;

  constructor(ca) {
    this.#ca = ca;
    this.#agent = new Agent({ keepAlive: true, ca });
  }

  /** Sends one request; its answer, whatever it says. */
  async answer(url, { method = 'GET', token, headers = {}, json } = {}) {
    const bytes = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
    const sending = request(url, {
      method,
      agent: this.#agent,
      ca: this.#ca,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        'content-length': String(bytes?.length ?? 0),
        ...headers,
      },
    });
    sending.end(bytes);
    const [answer] = await once(sending, 'response');
    const chunks = [];
    for await (const chunk of answer) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const isJson = String(answer.headers['content-type']).startsWith('application/json');
    return { status: answer.statusCode, body: isJson ? JSON.parse(text) : text };
  }

  /** The data of an answer. @throws Error for anything but 200 */
  async data(url, options) {
    const { status, body } = await this.answer(url, options);
    if (status !== 200)
      throw new Error(`${options?.method ?? 'GET'} ${url}: ${status} ${JSON.stringify(body).slice(0, 300)}`);
    return body.data;
  }

  close() {
    this.#agent.destroy();
  }
}
