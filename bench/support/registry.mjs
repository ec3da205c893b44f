import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, curl, received } from './http.mjs';
import { freePort, startProgram } from './process.mjs';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** Debian's docker-registry on a folder of its own. */
export async function startRegistry({ folder, scheme, tls }) {
  const port = await freePort();
  const base = `${scheme}://localhost:${port}`;
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: folder }, delete: { enabled: true } },
    http: {
      addr: `127.0.0.1:${port}`,
      ...(scheme === 'https' ? { tls: { certificate: tls.certFile, key: tls.certFile } } : {}),
    },
  };
  // JSON is YAML.
  const file = join(folder, 'config.yml');
  writeFileSync(file, JSON.stringify(config));
  const ca = scheme === 'https' ? readFileSync(tls.caFile) : undefined;
  const client = new Client({ base, ca });
  const server = await startProgram('docker-registry', ['serve', file], {
    isUp: async () => {
      await client.send('GET', '/v2/');
      return true;
    },
  });
  const secure = scheme === 'https' ? { caFile: tls.caFile } : {};
  const headers = { 'content-type': 'application/octet-stream' };

  async function patch(location, image) {
    if (image.whole === undefined)
      return (await client.send('PATCH', location, { body: image.bytes, headers, accept: [202] })).headers
        .location;
    const { pathname, search } = new URL(location, base);
    const options = { ...secure, headers, accept: [202] };
    const [answer] = await curl('PATCH', [{ url: base + pathname + search, file: image.whole }], options);
    return answer.header('location');
  }

  async function putBlob(image) {
    const opened = await client.send('POST', '/v2/bench/blobs/uploads/', { accept: [202] });
    const close = new URL(await patch(opened.headers.location, image), base);
    close.searchParams.set('digest', `sha256:${image.hash}`);
    await client.send('PUT', close.pathname + close.search, { accept: [201] });
  }

  // What every image of the OCI kind without a configuration refers to (OCI image manifest, "empty descriptor").
  const empty = Buffer.from('{}');
  const emptyHash = createHash('sha256').update(empty).digest('hex');
  await putBlob({ bytes: empty, hash: emptyHash });

  return {
    pid: server.pid,

    /**
     * The requests of clients for such images: open, the bytes in one PATCH, close with the digest; then the manifest, which
     * is the image and gives it its tag. The library's push ends with the same.
     */
    async push(image, tag) {
      await putBlob(image);
      const manifest = {
        schemaVersion: 2,
        mediaType: MANIFEST,
        config: {
          mediaType: 'application/vnd.oci.empty.v1+json',
          digest: `sha256:${emptyHash}`,
          size: empty.length,
        },
        layers: [
          {
            mediaType: 'application/vnd.sylabs.sif.layer.v1.sif',
            digest: `sha256:${image.hash}`,
            size: image.size,
          },
        ],
      };
      await client.send('PUT', `/v2/bench/manifests/${tag}`, {
        body: manifest,
        headers: { 'content-type': MANIFEST },
        accept: [201],
      });
    },

    async pull(image) {
      const count = await received(client, image, `/v2/bench/blobs/sha256:${image.hash}`, secure);
      if (count !== image.size) throw new Error(`Expected ${image.size} bytes, got ${count}`);
    },

    async remove(image) {
      await client.send('DELETE', `/v2/bench/blobs/sha256:${image.hash}`, { accept: [202] });
    },

    async stop() {
      client.close();
      await server.stop();
    },
  };
}
