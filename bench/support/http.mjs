import { execFile } from 'node:child_process';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { promisify } from 'node:util';

const run = promisify(execFile);

const PIECE = 1024 * 1024;

/** A client with connections that are kept, the same for every server that is measured. */
export class Client {
  base;
  #agent;
  #headers;
  #request;

  constructor({ base, ca, headers = {} }) {
    const secure = base.startsWith('https:');
    this.base = base;
    this.#headers = headers;
    this.#request = secure ? httpsRequest : httpRequest;
    this.#agent = secure ? new HttpsAgent({ keepAlive: true, ca }) : new HttpAgent({ keepAlive: true });
  }

  /** Sends a request; `body` is JSON, or bytes that are sent in pieces. Reads the answer; counts or parses it. */
  async send(method, path, { body, headers = {}, accept = [200], plain = false, discard = false } = {}) {
    const url = new URL(path, this.base);
    const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    const answer = await new Promise((resolve, reject) => {
      const sending = this.#request(url, {
        method,
        agent: this.#agent,
        headers: { ...(plain ? {} : this.#headers), 'content-length': bytes?.length ?? 0, ...headers },
      });
      sending.once('response', resolve);
      sending.once('error', reject);
      void write(sending, bytes).catch(reject);
    });
    let count = 0;
    const chunks = [];
    await new Promise((resolve, reject) => {
      answer.on('data', (chunk) => {
        count += chunk.length;
        if (!discard) chunks.push(chunk);
      });
      answer.once('end', resolve);
      answer.once('error', reject);
    });
    if (!accept.includes(answer.statusCode))
      throw new Error(
        `${method} ${path}: ${answer.statusCode} ${Buffer.concat(chunks).toString().slice(0, 300)}`,
      );
    const text = Buffer.concat(chunks).toString();
    return {
      headers: answer.headers,
      count,
      json: !discard && text.startsWith('{') ? JSON.parse(text) : undefined,
    };
  }

  close() {
    this.#agent.destroy();
  }
}

async function write(sending, bytes) {
  if (bytes === undefined) return void sending.end();
  for (let at = 0; at < bytes.length; at += PIECE) {
    const more = sending.write(bytes.subarray(at, at + PIECE));
    if (!more) await new Promise((resolve) => sending.once('drain', resolve));
  }
  sending.end();
}

/**
 * Large bodies by curl, which needs less of the machine than a client in Node: what is measured is the server. One process
 * and one connection for all transfers, one after the other, as a client has it.
 * @param transfers addresses; with a `file` it is sent, without one the answer is counted and dropped
 */
export async function curl(method, transfers, { caFile, headers = {}, accept = [200] } = {}) {
  const parameters = ['-sS', '-X', method, '-D', '-', '-H', 'Expect:'];
  if (caFile !== undefined) parameters.push('--cacert', caFile);
  for (const [name, value] of Object.entries(headers)) parameters.push('-H', `${name}: ${value}`);
  for (const { file } of transfers)
    parameters.push('-o', '/dev/null', ...(file === undefined ? [] : ['--upload-file', file]));
  parameters.push('-w', `${END} %{http_code} %{size_download}\n`, ...transfers.map(({ url }) => url));
  const { stdout } = await run('curl', parameters);
  const answers = [...stdout.matchAll(ANSWER)].map(([, head, status, count]) => ({
    status: Number(status),
    count: Number(count),
    header: (name) => new RegExp(`^${name}: (.*?)\r?$`, 'im').exec(head)?.[1],
  }));
  for (const [at, { url }] of transfers.entries())
    if (!accept.includes(answers[at]?.status)) throw new Error(`${method} ${url}: ${answers[at]?.status}`);
  return answers;
}

/** Bytes that come as an answer, by curl where the image is in files. */
export async function received(client, image, path, secure) {
  if (image.whole === undefined) return (await client.send('GET', path, { discard: true })).count;
  const [{ count }] = await curl('GET', [{ url: client.base + path }], secure);
  return count;
}

/** What ends each answer in the output of curl. */
const END = 'end of answer:';
const ANSWER = new RegExp(`([^]*?)${END} (\\d+) (\\d+)\n`, 'g');
