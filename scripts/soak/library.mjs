import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:https';

const MAGIC = Buffer.from('SIF_MAGIC\0');

/** Random bytes that begin like an image. */
export function newImage(size) {
  const bytes = Buffer.allocUnsafeSlow(size);
  randomFillSync(bytes);
  MAGIC.copy(bytes, 32);
  return { bytes, hash: hashOf(bytes) };
}

export function hashOf(bytes) {
  return `sha256.${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Requests as stock clients send them, one connection for those that are cut. */
export class LibraryCalls {
  #server;
  #agent;

  constructor(server) {
    this.#server = server;
    this.#agent = new Agent({ keepAlive: true, ca: server.ca });
  }

  /** The open request. An early answer may end the connection while the body is on its way: that is no error. */
  open(method, path, { headers = {}, agent = false } = {}) {
    const url = new URL(path, this.#server.url);
    const sending = request(url, { method, agent, ca: this.#server.ca, headers });
    sending.on('error', () => undefined);
    return sending;
  }

  /**
   * @param token null for none
   * @returns the data of a JSON answer, or the bytes of another
   * @throws Error for anything but 200
   */
  async send(method, path, body, options) {
    const answer = await this.#call(method, path, body, options);
    return Buffer.isBuffer(answer) ? answer : answer.data;
  }

  /**
   * Compares everything that the library has written down with everything else, and with the bytes of all blobs.
   * @throws Error for any difference
   */
  async requireNothingWrong() {
    let cursor;
    let blobs = 0;
    do {
      const { data, page } = await this.#call('POST', '/v1/library/check', { rehash: true, cursor });
      blobs += data.blobs;
      if (data.problems.length + data.unsettled.length + data.bytes.difference > 0)
        throw new Error(`The library is not right: ${JSON.stringify(data)}`);
      cursor = page?.next;
    } while (cursor !== undefined);
    return blobs;
  }

  async #call(method, path, body, options) {
    const { status, json, bytes } = await this.answer(method, path, body, options);
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${bytes.toString().slice(0, 300)}`);
    return json ?? bytes;
  }

  /**
   * One request and its whole answer, whatever that says.
   * @param begun told when the head of the answer is there
   * @throws Error when the connection breaks
   */
  async answer(method, path, body, options = {}) {
    const { token = this.#server.token, begun = () => undefined, headers: more } = options;
    const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    const headers = {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      'content-length': String(bytes?.length ?? 0),
      ...more,
    };
    const sending = this.open(method, path, { headers, agent: this.#agent });
    sending.end(bytes);
    const [answer] = await once(sending, 'response');
    begun(answer.statusCode);
    const chunks = [];
    for await (const chunk of answer) chunks.push(chunk);
    const all = Buffer.concat(chunks);
    const isJson = String(answer.headers['content-type']).startsWith('application/json');
    return {
      status: answer.statusCode,
      headers: answer.headers,
      bytes: all,
      json: isJson ? JSON.parse(all.toString()) : undefined,
    };
  }

  /** Makes the container `admin/soak/<name>` and says its id. */
  async container(name) {
    const entity = (await this.send('POST', '/v1/entities', { name: 'admin' })).id;
    const collection = (await this.send('POST', '/v1/collections', { name: 'soak', entity })).id;
    return (await this.send('POST', '/v1/containers', { name, collection })).id;
  }

  /** The record of an image that is not uploaded yet. */
  async announce(container, hash) {
    return (await this.send('POST', '/v1/images', { hash, container })).id;
  }

  /** Pushes in one piece. */
  async push(container, { bytes, hash }, tag) {
    const id = await this.announce(container, hash);
    const { uploadURL } = await this.send('POST', `/v2/imagefile/${id}`, { filesize: bytes.length });
    await this.send('PUT', uploadURL, bytes, { token: null });
    await this.send('PUT', `/v2/imagefile/${id}/_complete`, {});
    await this.send('POST', `/v2/tags/${container}`, { Arch: 'amd64', Tag: tag, ImageID: id });
  }

  close() {
    this.#agent.destroy();
  }
}

/** Does `work` so many times, a few at a time. */
export async function repeat(times, width, work) {
  let next = 0;
  const lane = async () => {
    while (next < times) {
      next += 1;
      await work(next - 1);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}
