import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, curl } from './http.mjs';
import { freePort, startProgram } from './process.mjs';

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
    const options = { ...secure, headers, file: image.whole, accept: [202] };
    return (await curl('PATCH', base + pathname + search, options)).header('location');
  }

  return {
    pid: server.pid,

    /** As stock clients do it: open, the bytes in one PATCH, close with the digest. */
    async push(image) {
      const opened = await client.send('POST', '/v2/bench/blobs/uploads/', { accept: [202] });
      const location = await patch(opened.headers.location, image);
      const close = new URL(location, base);
      close.searchParams.set('digest', `sha256:${image.hash}`);
      await client.send('PUT', close.pathname + close.search, { accept: [201] });
    },

    async pull(image) {
      const { count } = await curl('GET', `${base}/v2/bench/blobs/sha256:${image.hash}`, secure);
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
