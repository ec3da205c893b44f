import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  FakeRegistry,
  OCI_INDEX,
  OCI_MANIFEST,
  ociDigest,
  refuse,
  SIF_CONFIG,
  SIF_LAYER,
  sifManifest,
} from '../../../../test/support/fake-registry.js';
import { HttpClient } from '#libs/client';
import { REGISTRY_LIMITS } from './limits.js';
import { parseRegistryReference } from './reference.js';
import { RegistryClient } from './registryClient.js';
import { findSif, pushSif, type PushSifOptions } from './sifArtifact.js';

let registry: FakeRegistry;
let server: ReturnType<typeof createServer>;
let base: string;
let folder: string;
beforeEach(async () => {
  registry = new FakeRegistry();
  server = createServer((request, response) => void registry.handler(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), 'scs-oras-'));
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const content = Buffer.from('the image');
const hash = createHash('sha256').update(content).digest('hex');
function client(by = ':1', credentials?: { username: string; password: string }): RegistryClient {
  const open = async (baseUrl: string) => new HttpClient({ baseUrl, userAgent: 'test' });
  const http = new HttpClient({ baseUrl: base, userAgent: 'test' });
  const options = { http, open, login: '', credentials: async () => credentials };
  return new RegistryClient(options, parseRegistryReference(`oras://h/a/b${by}`), 'pull,push');
}
const find = (by?: string) => findSif(client(by), { name: 'h/a/b:1', architecture: 'amd64' });

describe('a SIF file in a registry', () => {
  it('is found as stock programs have written it', async () => {
    registry.addSif('a/b', '1', content);
    expect(await find()).toEqual({
      digest: `sha256.${hash}`,
      size: content.length,
      title: 'image.sif',
      architecture: undefined,
      manifest: ociDigest(sifManifest(content)),
    });
  });

  it('is found with the layer type that they had before', async () => {
    const layer = { mediaType: 'appliciation/vnd.sylabs.sif.layer.tar', digest: ociDigest(content), size: 9 };
    registry.add('a/b', '1', sifManifest(content, { layers: [layer] }));
    expect((await find()).title).toBeUndefined();
  });

  it('is chosen by its architecture from an index, also when that says size 0 as that of a library does', async () => {
    const entry = (architecture: string, bytes: Buffer, size = bytes.length) => ({
      mediaType: OCI_MANIFEST,
      digest: ociDigest(bytes),
      size,
      platform: { architecture, os: 'linux' },
    });
    const [arm, amd] = [sifManifest(Buffer.from('arm')), sifManifest(content)];
    registry.add('a/b', 'arm', arm);
    registry.add('a/b', 'amd', amd);
    const index = (...manifests: object[]) => Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }));
    registry.add('a/b', '1', index(entry('arm64', arm), entry('amd64', amd, 0)), OCI_INDEX);
    expect(await find()).toMatchObject({
      digest: `sha256.${hash}`,
      architecture: 'amd64',
      manifest: ociDigest(amd),
    });
    registry.add('a/b', '1', index(entry('arm64', arm)), OCI_INDEX);
    await expect(find()).rejects.toMatchObject({
      code: 'not_found',
      remedy: expect.stringContaining('It is there for: arm64'),
    });
    registry.add('a/b', '1', index(entry('amd64', amd, 5)), OCI_INDEX);
    await expect(find()).rejects.toMatchObject({ reason: 'bad_artifact' });
  });

  it('is no index that leads to itself or on and on', async () => {
    let inner = Buffer.from('{"schemaVersion":2,"manifests":[]}');
    for (let depth = 0; depth < 6; depth += 1) {
      registry.add('a/b', '1', inner, OCI_INDEX);
      const entry = { mediaType: OCI_INDEX, digest: ociDigest(inner), size: inner.length };
      inner = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
    }
    await expect(find()).rejects.toMatchObject({
      message: expect.stringContaining('nested more than 4 deep'),
    });
  });

  it('is not a container image: that is said', async () => {
    const image = {
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: ociDigest('x'), size: 1 },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: ociDigest('y'), size: 1 }],
    };
    registry.add('a/b', '1', sifManifest(content, image));
    await expect(find()).rejects.toMatchObject({
      reason: 'no_sif_artifact',
      message: 'h/a/b:1 is no SIF file but a container image',
    });
    registry.add('a/b', '1', sifManifest(content, { layers: [{ ...image.layers[0], mediaType: 'text/x' }] }));
    await expect(find()).rejects.toMatchObject({
      message: 'h/a/b:1 is no SIF file but an artifact of text/x',
    });
    registry.add('a/b', '1', sifManifest(content, { layers: [] }));
    await expect(find()).rejects.toMatchObject({ reason: 'no_sif_artifact' });
  });

  const layer = { mediaType: SIF_LAYER, digest: ociDigest(content), size: 9 };
  it.each([
    ['two layers', { layers: [layer, layer] }],
    ['a layer beside it', { layers: [layer, { ...layer, mediaType: 'text/plain' }] }],
    ['a digest that is a path', { layers: [{ ...layer, digest: `sha256:../${'a'.repeat(61)}` }] }],
    ['another algorithm', { layers: [{ ...layer, digest: `sha512:${'a'.repeat(128)}` }] }],
    ['a negative size', { layers: [{ ...layer, size: -1 }] }],
    ['a size that is no number', { layers: [{ ...layer, size: '9' }] }],
    ['manifests, too', { manifests: [] }],
    ['another type of its own', { mediaType: OCI_INDEX }],
    ['the first schema', { schemaVersion: 1 }],
  ])('is refused with %s', async (_, change) => {
    registry.add('a/b', '1', sifManifest(content, change));
    await expect(find()).rejects.toMatchObject({ code: 'unprocessable', reason: 'bad_artifact' });
  });

  it('is refused when it is no JSON', async () => {
    registry.add('a/b', '1', Buffer.from('<html>'));
    await expect(find()).rejects.toMatchObject({ reason: 'bad_artifact' });
  });
});

describe('a push', () => {
  const push = async (bytes: Buffer, more: Partial<PushSifOptions> = {}) => {
    const file = join(folder, 'image.sif');
    await writeFile(file, bytes);
    return pushSif(client(), { file, architecture: 'amd64', ...more });
  };
  const manifest = () => JSON.parse(String(registry.manifests.get('a/b:1')?.bytes)) as object;

  it('has the form of stock programs', async () => {
    const pushed = await push(content, { description: 'for tests' });
    expect(pushed).toMatchObject({ digest: `sha256.${hash}`, size: content.length, uploaded: true });
    expect(registry.blobs.get(ociDigest(content))?.equals(content)).toBe(true);
    const config = Buffer.from('{"architecture":"amd64","os":"linux"}');
    expect(manifest()).toEqual({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: SIF_CONFIG, digest: ociDigest(config), size: config.length },
      layers: [
        {
          mediaType: SIF_LAYER,
          digest: ociDigest(content),
          size: content.length,
          annotations: { 'org.opencontainers.image.title': 'image.sif' },
        },
      ],
      annotations: { 'org.opencontainers.image.description': 'for tests' },
    });
    expect(registry.blobs.get(ociDigest(config))?.equals(config)).toBe(true);
    expect(registry.manifests.get('a/b:1')?.type).toBe(OCI_MANIFEST);
    // What was pushed is found again.
    expect((await find()).digest).toBe(pushed.digest);
  });

  it('sends nothing that is there', async () => {
    await push(content);
    registry.requests.length = 0;
    expect((await push(content)).uploaded).toBe(false);
    expect(registry.lines.filter((line) => /^(POST|PATCH)/.test(line))).toEqual([]);
  });

  it('follows the addresses that the registry gives, and keeps what stands in them', async () => {
    await push(content);
    const config = ociDigest('{"architecture":"amd64","os":"linux"}');
    expect(registry.lines).toEqual([
      `HEAD /v2/a/b/blobs/${ociDigest(content)}`,
      'POST /v2/a/b/blobs/uploads/',
      'PATCH /v2/a/b/blobs/uploads/1?state=a',
      `PUT /v2/a/b/blobs/uploads/1?state=b&digest=${encodeURIComponent(ociDigest(content))}`,
      `HEAD /v2/a/b/blobs/${config}`,
      'POST /v2/a/b/blobs/uploads/',
      `PUT /v2/a/b/blobs/uploads/2?state=a&digest=${encodeURIComponent(config)}`,
      'PUT /v2/a/b/manifests/1',
    ]);
  });

  it('goes to another host that the registry names, without the password', async () => {
    const basic = `Basic ${Buffer.from('ann:pw').toString('base64')}`;
    const storage = createServer((request, response) => void registry.handler(request, response));
    await new Promise<void>((resolve) => storage.listen(0, 'localhost', resolve));
    const other = `localhost:${(storage.address() as AddressInfo).port}`;
    registry.before = (request, response) => {
      if (request.headers.host !== other && request.headers.authorization !== basic)
        return refuse(response, 401, 'UNAUTHORIZED', '', { 'www-authenticate': 'Basic realm="x"' });
      if (request.method !== 'POST' || request.headers.host === other) return false;
      response.writeHead(307, { location: `http://${other}${request.url}` }).end();
      return true;
    };
    try {
      const file = join(folder, 'image.sif');
      await writeFile(file, content);
      await pushSif(client(':1', { username: 'ann', password: 'pw' }), { file, architecture: 'amd64' });
    } finally {
      storage.closeAllConnections();
      storage.close();
    }
    const there = registry.requests.filter(({ headers }) => headers.host === other);
    expect(there.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'PUT', 'POST', 'PUT']);
    expect(there.map(({ headers }) => headers.authorization)).toEqual(there.map(() => undefined));
    expect(registry.manifests.has('a/b:1')).toBe(true);
  });

  it('goes on where a broken connection has left it', async () => {
    const bytes = randomBytes(8 * 1024 * 1024);
    registry.breakAfter = 3_000_000;
    const retries: string[] = [];
    await push(bytes, { onRetry: (error) => retries.push(error.message) });
    expect(retries).toHaveLength(1);
    expect(registry.blobs.get(ociDigest(bytes))?.equals(bytes)).toBe(true);
    const pieces = registry.requests
      .filter(({ method }) => method === 'PATCH')
      .map(({ headers }) => headers['content-range']);
    expect(pieces[0]).toBeUndefined();
    expect(pieces[1]).toBe(`3000000-${bytes.length - 1}`);
    expect(registry.lines.filter((line) => line.startsWith('POST'))).toHaveLength(2);
  });

  it('begins anew, once, at a registry that was wrong about how far it came', async () => {
    registry.breakAfter = 5;
    registry.before = (request, response) => {
      if (request.method !== 'GET') return false;
      response.writeHead(204, { location: request.url ?? '', range: '0-2' }).end();
      return true;
    };
    await push(content);
    expect(registry.blobs.get(ociDigest(content))?.equals(content)).toBe(true);
    // And does not go on for ever at one that takes nothing.
    registry.blobs.clear();
    registry.breakAfter = undefined;
    registry.before = (request, response) =>
      request.method === 'PUT' && refuse(response, 400, 'DIGEST_INVALID', 'wrong');
    await expect(push(content)).rejects.toMatchObject({ reason: 'registry_400' });
  });

  it('is done when only the last answer was lost', async () => {
    let lost = false;
    registry.before = async (request) => {
      if (request.method !== 'PUT' || request.url?.includes('/uploads/1?') !== true || lost) return false;
      lost = true;
      registry.blobs.set(ociDigest(content), content);
      registry.forgetUploads();
      request.socket.destroy();
      return true;
    };
    await push(content);
    expect(registry.lines.filter((line) => line.startsWith('PATCH'))).toHaveLength(1);
    expect(registry.manifests.has('a/b:1')).toBe(true);
  });

  it('begins at the beginning where nothing has arrived, though the registry says 0-0', async () => {
    registry.breakAfter = 0;
    await push(content);
    expect(registry.blobs.get(ociDigest(content))?.equals(content)).toBe(true);
    expect(registry.lines.filter((line) => line.startsWith('POST'))).toHaveLength(2);
  });

  it('ends at a registry that is wrong each time about what it has', async () => {
    registry.before = (request, response) => {
      if (request.method !== 'PATCH') return false;
      request.resume();
      request.once('end', () => response.writeHead(202, { location: request.url ?? '', range: '0-2' }).end());
      return true;
    };
    await expect(push(content)).rejects.toMatchObject({ reason: 'upload_fails' });
    expect(registry.lines.filter((line) => line.startsWith('PATCH'))).toHaveLength(4);
  });

  it('begins anew at a registry that has forgotten what it got', async () => {
    registry.breakAfter = 5;
    registry.before = (request, response) =>
      request.method === 'GET' && refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN', '');
    await push(content);
    expect(registry.blobs.get(ociDigest(content))?.equals(content)).toBe(true);
    expect(registry.lines.filter((line) => line.startsWith('POST'))).toHaveLength(3);
  });

  it('comes in pieces where nobody takes it whole', async () => {
    const bytes = randomBytes(REGISTRY_LIMITS.piece + 1000);
    registry.before = (request, response) => {
      if (!(Number(request.headers['content-length']) > REGISTRY_LIMITS.piece)) return false;
      request.resume();
      request.once('end', () => response.writeHead(413).end('<html>too large</html>'));
      return true;
    };
    await push(bytes);
    expect(registry.blobs.get(ociDigest(bytes))?.equals(bytes)).toBe(true);
    const pieces = registry.requests
      .filter(({ method }) => method === 'PATCH')
      .map(({ headers }) => headers['content-range']);
    const { piece } = REGISTRY_LIMITS;
    expect(pieces).toEqual([undefined, `0-${piece - 1}`, `${piece}-${piece + 999}`]);
  });

  it.each([
    ['no address', {}],
    ['an address of another kind', { location: 'file:///etc' }],
  ])('ends at a registry that gives %s', async (_, headers) => {
    registry.before = (request, response) => {
      if (request.method !== 'POST') return false;
      response.writeHead(202, headers).end();
      return true;
    };
    await expect(push(content)).rejects.toMatchObject({ reason: 'bad_answer' });
  });

  it('ends where the registry got something else', async () => {
    registry.before = (request, response) => {
      if (request.method !== 'PUT' || request.url?.includes('/manifests/') !== true) return false;
      response.writeHead(201, { 'docker-content-digest': ociDigest('other') }).end();
      return true;
    };
    await expect(push(content)).rejects.toMatchObject({ reason: 'wrong_digest' });
  });

  it('is refused with the words of the registry', async () => {
    registry.before = (request, response) =>
      request.method === 'POST' && refuse(response, 403, 'DENIED', 'quota is used up');
    await expect(push(content)).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('(quota is used up)'),
    });
  });
});
