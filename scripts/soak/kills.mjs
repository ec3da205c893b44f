import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { HttpClient, LibraryClient, pushImage } from '#libs/client';
import { hashOf, LibraryCalls, newImage } from './library.mjs';
import { libraryServer } from './server.mjs';
import { within } from './until.mjs';

const PUSHERS = 3;
const TOKENS = 150;

/** `kill -9` of the server again and again while files are pushed and tokens made: what was acknowledged is there afterwards. */
export async function killedServer({ times, folder, random }) {
  const server = await libraryServer(folder);
  await server.start();
  const http = new HttpClient({ baseUrl: server.url, token: server.token, ca: server.ca, userAgent: 'soak' });
  const library = new LibraryClient(http);
  const calls = new LibraryCalls(server);
  const pushed = [];
  const tokens = [];
  const over = new AbortController();
  let failures = 0;

  /** The same again until it is acknowledged. */
  async function insist(work) {
    for (;;) {
      try {
        return await work();
      } catch {
        failures += 1;
        await wait(20);
      }
    }
  }

  async function push(lane) {
    for (let count = 1; !over.signal.aborted; count += 1) {
      const image = newImage(random.between(50_000, 8_000_000));
      const file = join(folder, `image-${lane}`);
      const tag = `v${count}`;
      await writeFile(file, image.bytes);
      const place = { entity: 'admin', collection: 'soak', container: `kills${lane}`, tags: [tag] };
      // The client waits for a server that is gone; now and then whoever pushes has no patience, and begins again.
      await insist(() => {
        const signal = AbortSignal.timeout(random.between(200, 5000));
        return pushImage(library, { file, arch: 'amd64', ...place, signal });
      });
      pushed.push({ path: `admin/soak/kills${lane}:${tag}`, hash: image.hash });
    }
  }

  async function makeTokens() {
    while (!over.signal.aborted && tokens.length < TOKENS) {
      const request = { name: 'soak', scopes: ['library:read'] };
      tokens.push((await insist(() => calls.send('POST', '/v1/auth/tokens', request))).token);
      await wait(random.between(5, 200));
    }
  }

  try {
    const work = Promise.all([...Array.from({ length: PUSHERS }, (_, lane) => push(lane)), makeTokens()]);
    work.catch(() => undefined);
    for (let round = 0; round < times; round += 1) {
      await wait(random.between(20, 1200));
      await server.kill();
      await within(60_000, 'the server to start', server.start());
    }
    over.abort();
    await within(120_000, 'the last pushes to end', work);
    const before = server.descriptors().length;
    await server.requireClean(before);
    // Once more in order: what the last kill left is settled, and everything is read from disk.
    await server.stop();
    await server.start();
    await server.requireClean(before);
    for (const { path, hash } of pushed) {
      const got = hashOf(await calls.send('GET', `/v1/imagefile/${path}?arch=amd64`));
      if (got !== hash) throw new Error(`Expected ${hash} at ${path}, got ${got}`);
    }
    for (const token of tokens) await calls.send('GET', '/v1/token-status', undefined, { token });
    const blobs = await calls.requireNothingWrong();
    await server.stop();
    return `${times} kills, ${pushed.length} pushes and ${tokens.length} tokens kept, ${blobs} blobs and all numbers right · ${failures} attempts failed meanwhile`;
  } finally {
    over.abort();
    calls.close();
    await http.close();
    await server.kill();
  }
}
