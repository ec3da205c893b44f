import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { bodyOf } from './world.js';

/** A real server with one image, for tests of what the command line asks for. */
export class TinyLibrary {
  readonly digest: string;
  readonly #content: Buffer;
  /** `METHOD /path authorization`, in order. */
  readonly requests: string[] = [];
  /** Bodies of what was put. */
  readonly uploads: Buffer[] = [];
  readonly tags: unknown[] = [];
  /** It has more than it tells. */
  more = false;
  /** How many images each page of a search has. */
  pages: readonly number[] = [1];

  constructor(content: Buffer) {
    this.#content = content;
    this.digest = `sha256.${createHash('sha256').update(content).digest('hex')}`;
  }

  requested(path: string): number {
    return this.requests.filter((line) => line.includes(path)).length;
  }

  readonly handler = async (request: IncomingMessage, response: ServerResponse): Promise<unknown> => {
    const { method = '', url = '', headers } = request;
    this.requests.push(`${method} ${url} ${headers.authorization ?? ''}`.trim());
    const json = (data: unknown, status = 200) => response.writeHead(status).end(JSON.stringify({ data }));
    const base = `http://${headers.host}`;
    if (url === '/version') return json({ version: '1', apiVersion: '2.0.0' });
    if (url.startsWith('/v1/search')) {
      const cursor = new URL(url, base).searchParams.get('cursor') ?? '0';
      const page = this.pages[Number(cursor)] ?? 1;
      const image = Array.from({ length: page }, (_, at) => ({
        ...this.#image(),
        id: `image${cursor}${at}`,
      }));
      const next =
        Number(cursor) + 1 < this.pages.length ? { page: { next: String(Number(cursor) + 1) } } : {};
      return response.end(JSON.stringify({ data: { image }, ...(this.more && { more: true }), ...next }));
    }
    if (url.startsWith('/v1/imagefile/')) return this.#send(request, response);
    if (url.startsWith('/v1/images/demo/col/') && method === 'DELETE') return json({});
    if (url.startsWith('/v1/images/demo/col/'))
      return url.includes('missing') ? this.#missing(response) : json(this.#image());
    if (method === 'GET' && /^\/v1\/(entities|collections|containers|images)\//.test(url))
      return this.#missing(response);
    if (method === 'POST' && /^\/v1\/(entities|collections|containers)$/.test(url)) {
      return json({ ...(JSON.parse(await bodyOf(request)) as object), id: 'id1' });
    }
    if (method === 'POST' && url === '/v1/images') return json({ ...this.#image(), uploaded: false });
    if (method === 'POST' && url.startsWith('/v2/imagefile/'))
      return json({ uploadURL: `${base}/upload?key=1` });
    if (url.startsWith('/upload')) {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      this.uploads.push(Buffer.concat(chunks));
      return response.end();
    }
    if (url.endsWith('/_complete')) {
      return json({ quota: { quotaTotal: 0, quotaUsage: 2048 }, containerUrl: 'library/demo/col/new' });
    }
    if (url.startsWith('/v2/tags/')) {
      this.tags.push(JSON.parse(await bodyOf(request)));
      return json({});
    }
    return this.#missing(response);
  };

  #missing(response: ServerResponse): unknown {
    return response.writeHead(404).end('{"error":{"code":404,"message":"not there"}}');
  }

  #image() {
    return {
      id: 'image1',
      hash: this.digest,
      size: this.#content.length,
      uploaded: true,
      arch: 'amd64',
      entityName: 'demo',
      collectionName: 'col',
      containerName: 'hello',
      tags: ['1', 'latest'],
      description: 'a \u001B[31mred image',
      fingerprints: ['ABCD'],
    };
  }

  #send(request: IncomingMessage, response: ServerResponse): unknown {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    if (from === undefined) return response.end(this.#content);
    const total = this.#content.length;
    const end = Math.min(Number(to), total - 1);
    response.writeHead(206, { 'content-range': `bytes ${from}-${end}/${total}` });
    return response.end(this.#content.subarray(Number(from), end + 1));
  }
}
