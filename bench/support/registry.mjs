import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from './http.mjs';
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
  return {
    pid: server.pid,

    /** As stock clients do it: open, the bytes in one PATCH, close with the digest. */
    async push(image) {
      const opened = await client.send('POST', '/v2/bench/blobs/uploads/', { accept: [202] });
      const sent = await client.send('PATCH', opened.headers.location, {
        body: image.bytes,
        headers: { 'content-type': 'application/octet-stream' },
        accept: [202],
      });
      const close = new URL(sent.headers.location, base);
      close.searchParams.set('digest', `sha256:${image.hash}`);
      await client.send('PUT', close.pathname + close.search, { accept: [201] });
    },

    async pull(image) {
      const { count } = await client.send('GET', `/v2/bench/blobs/sha256:${image.hash}`, { discard: true });
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
