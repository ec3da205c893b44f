import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, curl, received } from './http.mjs';
import { freePort, startProgram } from './process.mjs';

const main = new URL('../../dist/apps/all-in-one/src/main.js', import.meta.url).pathname;

/** The library with the auth service in one process, as `up` runs it, on a state folder of its own. */
export async function startLibrary({ folder, scheme }) {
  if (!existsSync(main)) throw new Error('Build first: npm run build');
  const port = await freePort();
  const base = `${scheme}://localhost:${port}`;
  const caFile = join(folder, 'tls', 'ca.pem');
  const server = await startProgram(
    process.execPath,
    (process.env.SCS_BENCH_NODE ?? '').split(' ').filter(Boolean).concat(main),
    {
      env: {
        SCS_HOME: folder,
        SCS_PORT: String(port),
        SCS_SERVICES: 'auth,library',
        SCS_LOG_LEVEL: 'warn',
        ...(scheme === 'http' ? { SCS_INSECURE_HTTP: 'yes' } : {}),
      },
      isUp: async () => {
        const ca = existsSync(caFile) ? readFileSync(caFile) : undefined;
        if (scheme === 'https' && ca === undefined) return false;
        const client = new Client({ base, ca });
        await client.send('GET', '/readyz').finally(() => client.close());
        return true;
      },
    },
  );
  const secure = scheme === 'https' ? { caFile } : {};
  const ca = scheme === 'https' ? readFileSync(caFile) : undefined;
  const token = readFileSync(find(folder, 'admin.token'), 'utf8').trim();
  const client = new Client({ base, ca, headers: { authorization: `Bearer ${token}` } });
  const entity = (await client.send('POST', '/v1/entities', { body: { name: 'admin' } })).json.data.id;
  const collection = (await client.send('POST', '/v1/collections', { body: { name: 'bench', entity } })).json
    .data.id;
  const container = (await client.send('POST', '/v1/containers', { body: { name: 'image', collection } }))
    .json.data.id;
  return {
    pid: server.pid,
    base,
    /** With the token of the administrator. */
    client,
    // The registry uses the same certificate, so that both encrypt alike.
    tls: { caFile, certFile: join(folder, 'tls', 'server.pem') },

    /** The requests of stock clients: the record, the parts one after the other, the end, the tag. */
    async push(image, tag) {
      const made = await client.send('POST', '/v1/images', {
        body: { hash: `sha256.${image.hash}`, container },
      });
      const id = made.json.data.id;
      if (image.whole === undefined) await sendWhole(client, id, image);
      else await sendParts(client, id, image, secure);
      await client.send('POST', `/v2/tags/${container}`, { body: { Arch: 'amd64', Tag: tag, ImageID: id } });
    },

    async pull(image) {
      const path = `/v1/imagefile/admin/bench/image:sha256.${image.hash}?arch=amd64`;
      const count = await received(client, image, path, secure);
      if (count !== image.size) throw new Error(`Expected ${image.size} bytes, got ${count}`);
    },

    async remove(image) {
      await client.send('DELETE', `/v1/images/admin/bench/image:sha256.${image.hash}`);
    },

    async stop() {
      client.close();
      await server.stop();
    },
  };
}

async function sendWhole(client, id, image) {
  const request = { filesize: image.size, sha256sum: image.hash, md5sum: '' };
  const { uploadURL } = (await client.send('POST', `/v2/imagefile/${id}`, { body: request })).json.data;
  await client.send('PUT', uploadURL, { body: image.bytes, plain: true });
  await client.send('PUT', `/v2/imagefile/${id}/_complete`, { body: {} });
}

async function sendParts(client, id, image, secure) {
  const path = `/v2/imagefile/${id}/_multipart`;
  const started = (await client.send('POST', path, { body: { filesize: image.size } })).json.data;
  const { uploadID, totalParts, partSize } = started;
  const transfers = [];
  for (let partNumber = 1; partNumber <= totalParts; partNumber += 1) {
    const request = { partSize, uploadID, partNumber, sha256sum: '' };
    const { presignedURL } = (await client.send('PUT', path, { body: request })).json.data;
    transfers.push({ url: presignedURL, file: image.partFile(partNumber) });
  }
  const answers = await curl('PUT', transfers, secure);
  const completedParts = answers.map(({ header }, at) => ({ partNumber: at + 1, token: header('etag') }));
  await client.send('PUT', `${path}_complete`, { body: { uploadID, completedParts } });
}

function find(folder, name) {
  const found = readdirSync(folder, { recursive: true }).find((path) => path.endsWith(name));
  if (found === undefined) throw new Error(`Expected ${name} below ${folder}`);
  return join(folder, found);
}
