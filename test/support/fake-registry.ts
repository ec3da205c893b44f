import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Media types of SIF files in registries, as stock programs write them. */
export const SIF_LAYER = 'application/vnd.sylabs.sif.layer.v1.sif';
export const SIF_CONFIG = 'application/vnd.sylabs.sif.config.v1+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';

export function ociDigest(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The manifest of a SIF file as stock programs write it: an empty configuration, the name of the file as its title. */
export function sifManifest(content: Uint8Array, change: object = {}): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: SIF_CONFIG, digest: ociDigest(''), size: 0 },
      layers: [
        {
          mediaType: SIF_LAYER,
          digest: ociDigest(content),
          size: content.length,
          annotations: { 'org.opencontainers.image.title': 'image.sif' },
        },
      ],
      ...change,
    }),
  );
}

/** A request that was made, in words: `GET /v2/… Bearer x`. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

/**
 * A registry in memory whose every answer a test may replace. The real one is in test/integration; this one lies on demand.
 */
export class FakeRegistry {
  readonly blobs = new Map<string, Buffer>();
  /** By `<name>:<tag>` and `<name>@<digest>`. */
  readonly manifests = new Map<string, { readonly type: string; readonly bytes: Buffer }>();
  readonly requests: SeenRequest[] = [];
  /** May answer instead, and says so by returning true. */
  before: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean> = () => false;
  /** The next upload loses its connection when so many bytes of it have arrived. */
  breakAfter: number | undefined;
  readonly #uploads = new Map<string, Buffer>();

  add(name: string, tag: string, bytes: Buffer, type = OCI_MANIFEST): void {
    const entry = { type, bytes };
    this.manifests.set(`${name}:${tag}`, entry);
    this.manifests.set(`${name}@${ociDigest(bytes)}`, entry);
  }

  /** A SIF file under a tag. */
  addSif(name: string, tag: string, content: Buffer): void {
    this.blobs.set(ociDigest(content), content);
    this.add(name, tag, sifManifest(content));
  }

  forgetUploads(): void {
    this.#uploads.clear();
  }

  /** `METHOD path` of what was asked for. */
  get lines(): readonly string[] {
    return this.requests.map(({ method, url }) => `${method} ${url}`);
  }

  readonly handler = async (request: IncomingMessage, response: ServerResponse): Promise<unknown> => {
    const { method = '', url = '', headers } = request;
    this.requests.push({ method, url, headers });
    if (await this.before(request, response)) return undefined;
    const { pathname, searchParams } = new URL(url, 'http://x');
    if (pathname === '/v2/') return response.end('{}');
    const [, name = '', kind, word = ''] =
      /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs)\/(.*)$/.exec(pathname) ?? [];
    if (kind === 'manifests')
      return this.#manifest(request, response, `${name}${word.startsWith('sha256:') ? '@' : ':'}${word}`);
    if (kind === 'blobs') return this.#blob(request, response, word);
    if (kind === 'blobs/uploads')
      return this.#upload(request, response, { name, id: word, digest: searchParams.get('digest') });
    return refuse(response, 404, 'NAME_UNKNOWN', 'no such thing');
  };

  async #manifest(request: IncomingMessage, response: ServerResponse, key: string): Promise<unknown> {
    if (request.method === 'PUT') {
      const bytes = await bytesOf(request);
      const [name = '', tag = ''] = key.split(':');
      this.add(name, tag, bytes, request.headers['content-type'] ?? '');
      return response.writeHead(201, { 'docker-content-digest': ociDigest(bytes) }).end();
    }
    const found = this.manifests.get(key);
    if (found === undefined) return refuse(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
    const headers = { 'content-type': found.type, 'docker-content-digest': ociDigest(found.bytes) };
    return response.writeHead(200, headers).end(found.bytes);
  }

  #blob(request: IncomingMessage, response: ServerResponse, digest: string): unknown {
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) return refuse(response, 404, 'BLOB_UNKNOWN', 'blob unknown');
    return sendRange(request, response, bytes);
  }

  async #upload(
    request: IncomingMessage,
    response: ServerResponse,
    { name, id, digest }: { name: string; id: string; digest: string | null },
  ): Promise<unknown> {
    if (request.method === 'POST') {
      const made = String(this.#uploads.size + 1);
      this.#uploads.set(made, Buffer.alloc(0));
      return response.writeHead(202, { location: `/v2/${name}/blobs/uploads/${made}?state=a` }).end();
    }
    const before = this.#uploads.get(id);
    if (before === undefined) return refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN', 'no such upload');
    const location = `/v2/${name}/blobs/uploads/${id}?state=b`;
    if (request.method === 'GET')
      return response.writeHead(204, { location, range: `0-${Math.max(0, before.length - 1)}` }).end();
    const limit = this.breakAfter;
    this.breakAfter = undefined;
    const now = Buffer.concat([before, await bytesOf(request, limit)]);
    this.#uploads.set(id, now);
    if (limit !== undefined) return request.socket.destroy();
    if (request.method === 'PATCH')
      return response.writeHead(202, { location, range: `0-${now.length - 1}` }).end();
    if (digest !== ociDigest(now))
      return refuse(response, 400, 'DIGEST_INVALID', 'provided digest did not match');
    this.blobs.set(digest, now);
    return response.writeHead(201, { location: `/v2/${name}/blobs/${digest}` }).end();
  }
}

/** The refusal of a registry. */
export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers = {},
): true {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ errors: [{ code, message, detail: null }] }));
  return true;
}

/** A file, or the range of it that was asked for. */
export function sendRange(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  headers = {},
): true {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  if (request.method === 'HEAD' || from === undefined) {
    response.writeHead(200, { 'content-length': bytes.length, ...headers });
    response.end(request.method === 'HEAD' ? undefined : bytes);
    return true;
  }
  const end = Math.min(Number(to), bytes.length - 1);
  response.writeHead(206, { 'content-range': `bytes ${from}-${end}/${bytes.length}`, ...headers });
  response.end(bytes.subarray(Number(from), end + 1));
  return true;
}

/** The body of a request, or no more of it than `limit` bytes. */
async function bytesOf(request: IncomingMessage, limit = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size >= limit) break;
  }
  return Buffer.concat(chunks).subarray(0, limit);
}
