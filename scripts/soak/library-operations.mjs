import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LibraryHistory } from './library-history.mjs';
import { hashOf, LibraryCalls, newImage } from './library.mjs';
import { libraryServer } from './server.mjs';
import { within } from './until.mjs';

const run = promisify(execFile);
const SCS = new URL('../../dist/cli/scs.cjs', import.meta.url).pathname;
const MIB = 1024 * 1024;
const CLIENTS = 8;
const CONTAINERS = 6;
const TAGS = ['latest', 'v1', 'v2', 'stable'];
/** Images whose bytes are kept, to push them again. */
const KEPT = 6;
/** Operations between two kills. */
const BETWEEN_KILLS = 20;
/** Below what a container remembers of its names. */
const RENAMES = 8;
/** What may be answered. 503: the server has just started and does not know yet which tokens were revoked. */
const DEFINED = new Set([200, 404, 409, 503]);

/** The server was killed before the answer came. */
class Lost extends Error {}
/** Something else was answered than 200. */
class Refused extends Error {}

/**
 * Random operations by eight clients on the same few containers while the server is killed again and again. Afterwards nothing is
 * wrong in the library, what was acknowledged is there with its hash, and nothing else is to be seen.
 */
export async function libraryOperations({ times, folder, random }) {
  const server = await libraryServer(folder);
  await server.start();
  const calls = new LibraryCalls(server);
  const history = new LibraryHistory();
  const answers = new Map();
  const kept = [];
  let made = 0;
  let done = 0;
  let lost = 0;
  let kills = 0;
  /** Settles when the server runs again. */
  let running = Promise.resolve();

  /** @throws Lost, Refused; Error for an answer that nobody may get */
  async function ask(method, path, body, options) {
    const answer = await calls.answer(method, path, body, options).catch((error) => {
      throw new Lost(error.message);
    });
    answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1);
    if (!DEFINED.has(answer.status))
      throw new Error(`${method} ${path}: ${answer.status} ${answer.bytes.toString().slice(0, 300)}`);
    if (answer.status !== 200) throw new Refused(`${answer.status} ${answer.json?.error?.reason}`);
    return answer.json?.data ?? answer.bytes;
  }

  /** Asks for a change, and notes what is known of it then. @param note told when it was asked for, and whether it was acknowledged */
  async function change(note, ...request) {
    const from = history.now();
    try {
      const data = await ask(...request);
      note(from, true, data);
      return data;
    } catch (error) {
      if (error instanceof Lost) note(from, false);
      throw error;
    }
  }

  async function newContainer() {
    made += 1;
    const name = `c${made}`;
    const entity = (await ask('POST', '/v1/entities', { name: 'admin' })).id;
    const collection = (await ask('POST', '/v1/collections', { name: 'soak', entity })).id;
    // Whoever does not hear of it uses another one: it stays empty.
    const { id } = await ask('POST', '/v1/containers', { name, collection });
    return history.container(id, name);
  }
  async function someContainer() {
    const there = history.containers.filter((container) => container.inUse);
    return there.length < CONTAINERS ? newContainer() : random.oneOf(there);
  }
  const pathOf = ({ name }) => `admin/soak/${name}`;

  function someImage() {
    if (kept.length > 0 && random.between(1, 3) === 1) return random.oneOf(kept);
    // Now and then more than one part.
    const size = random.between(1, 40) === 1 ? 65 * MIB : random.between(1000, 400_000);
    const image = newImage(size);
    if (size < MIB) kept.push(image);
    if (kept.length > KEPT) kept.shift();
    return image;
  }

  /** Sends what the library has not got. */
  async function upload(id, { bytes }, there) {
    const path = `/v2/imagefile/${id}`;
    if (bytes.length < MIB && random.between(1, 2) === 1) {
      const { uploadURL } = await ask('POST', path, { filesize: bytes.length });
      await ask('PUT', uploadURL, bytes, { token: null });
      return change(there, 'PUT', `${path}/_complete`, {});
    }
    const { uploadID, totalParts, partSize } = await ask('POST', `${path}/_multipart`, {
      filesize: bytes.length,
    });
    const completedParts = [];
    for (let partNumber = 1; partNumber <= totalParts; partNumber += 1) {
      const asked = { uploadID, partNumber, partSize, sha256sum: '' };
      const { presignedURL } = await ask('PUT', `${path}/_multipart`, asked);
      const part = bytes.subarray((partNumber - 1) * partSize, partNumber * partSize);
      await ask('PUT', presignedURL, part, { token: null });
      completedParts.push({ partNumber, token: '' });
    }
    return change(there, 'PUT', `${path}/_multipart_complete`, { uploadID, completedParts });
  }

  const operations = {
    async push(image = someImage()) {
      const container = await someContainer();
      const there = (from, sure) => container.contents(image.hash).note('there', from, sure);
      const from = history.now();
      const { id, uploaded } = await ask('POST', '/v1/images', { hash: image.hash, container: container.id });
      if (uploaded) there(from, true);
      else await upload(id, image, there);
      const tag = random.oneOf(TAGS);
      const tagged = (moment, sure) => container.tag(tag).note(image.hash, moment, sure);
      await change(tagged, 'POST', `/v2/tags/${container.id}`, { Arch: 'amd64', Tag: tag, ImageID: id });
    },

    /** The same content by several at once, to one container or to several. */
    async pushTogether() {
      const image = newImage(random.between(1000, 200_000));
      kept.push(image);
      const results = await Promise.allSettled([1, 2, 3].map(() => operations.push(image)));
      const failed = results.find(({ status }) => status === 'rejected');
      if (failed) throw failed.reason;
    },

    async moveTag() {
      const container = await someContainer();
      const data = await ask('GET', `/v1/manage/images/${pathOf(container)}`);
      const images = data.filter(({ uploaded }) => uploaded);
      if (images.length === 0) return;
      const { id, hash } = random.oneOf(images);
      const tag = random.oneOf(TAGS);
      const tagged = (from, sure) => container.tag(tag).note(hash, from, sure);
      await change(tagged, 'POST', `/v2/tags/${container.id}`, { Arch: 'amd64', Tag: tag, ImageID: id });
    },

    async pull() {
      const container = await someContainer();
      const hash = container.someHash(random);
      if (hash === undefined) return;
      const bytes = await ask('GET', `/v1/imagefile/${pathOf(container)}:${hash}?arch=amd64`);
      requireHash(bytes, hash);
    },

    async remove() {
      const container = await someContainer();
      const hash = container.someHash(random);
      if (hash === undefined) return;
      const gone = (from, sure) => container.contents(hash).note('gone', from, sure);
      await change(gone, 'DELETE', `/v1/images/${pathOf(container)}:${hash}?arch=amd64`);
    },

    async removeByTag() {
      const container = await someContainer();
      // Which image it was is in the answer; without one it may be any.
      const gone = (from, sure, image) => {
        const hashes = sure ? [image.hash] : container.hashes;
        for (const hash of hashes) container.contents(hash).note('gone', from, sure);
      };
      await change(gone, 'DELETE', `/v1/images/${pathOf(container)}:${random.oneOf(TAGS)}?arch=amd64`);
    },

    /** A pull that has begun gets its bytes to the end. */
    async removeDuringPull() {
      const container = await someContainer();
      const hash = container.someHash(random);
      if (hash === undefined) return;
      const path = `${pathOf(container)}:${hash}?arch=amd64`;
      const gone = (from, sure) => container.contents(hash).note('gone', from, sure);
      const removals = [];
      const begun = (status) => {
        if (status === 200) removals.push(change(gone, 'DELETE', `/v1/images/${path}`));
      };
      const pull = ask('GET', `/v1/imagefile/${path}`, undefined, { begun });
      const [pulled] = await Promise.allSettled([pull]);
      const ended = await Promise.allSettled(removals);
      for (const { status, reason } of [pulled, ...ended]) if (status === 'rejected') throw reason;
      requireHash(pulled.value, hash);
    },

    async removeContainer() {
      const container = await someContainer();
      container.inUse = false;
      const gone = (from, sure) => container.removed(from, sure);
      await change(gone, 'DELETE', `/v1/manage/containers/${pathOf(container)}`);
    },

    async rename() {
      const container = await someContainer();
      if (container.names.changes.length >= RENAMES) return;
      made += 1;
      const name = `c${made}`;
      const renamed = (from, sure) => {
        container.names.note(name, from, sure);
        if (sure) container.name = name;
      };
      await change(renamed, 'PATCH', `/v1/manage/containers/${pathOf(container)}`, { name });
    },

    /** Sends half a body and goes away. */
    async hangUp() {
      const container = await someContainer();
      const image = newImage(300_000);
      const { id } = await ask('POST', '/v1/images', { hash: image.hash, container: container.id });
      const { uploadURL } = await ask('POST', `/v2/imagefile/${id}`, { filesize: image.bytes.length });
      const sending = calls.open('PUT', uploadURL, { headers: { 'content-length': '300000' } });
      const closed = new Promise((resolve) => sending.once('close', resolve));
      const sent = image.bytes.subarray(0, random.between(1, 299_999));
      await Promise.race([closed, new Promise((resolve) => sending.write(sent, resolve))]);
      sending.destroy();
      await closed;
      container.contents(image.hash);
    },
  };
  /** Mostly pushes: the others need something to work on. */
  const CHOICE = Object.entries({
    push: 9,
    pushTogether: 2,
    moveTag: 3,
    pull: 4,
    remove: 2,
    removeByTag: 1,
    removeDuringPull: 2,
    removeContainer: 1,
    rename: 2,
    hangUp: 1,
  }).flatMap(([name, weight]) => Array.from({ length: weight }, () => name));

  let reached = Promise.withResolvers();
  async function client() {
    while (done < times) {
      done += 1;
      if (done % BETWEEN_KILLS === 0) reached.resolve();
      try {
        await operations[random.oneOf(CHOICE)]();
      } catch (error) {
        if (error instanceof Lost) {
          lost += 1;
          await running;
        } else if (!(error instanceof Refused)) throw error;
      }
    }
  }

  async function killer(over) {
    for (;;) {
      await Promise.race([reached.promise, over]);
      if (done >= times) return;
      reached = Promise.withResolvers();
      await wait(random.between(0, 150));
      const { promise, resolve, reject } = Promise.withResolvers();
      running = promise;
      running.catch(() => undefined);
      await server.kill();
      kills += 1;
      await within(60_000, 'the server to start', server.start()).then(resolve, reject);
      await running;
    }
  }

  try {
    const work = Promise.all(Array.from({ length: CLIENTS }, client));
    await within(1_200_000, 'the operations to end', Promise.all([work, killer(work)]));
    const before = server.descriptors().length;
    await server.requireClean(before, { interrupted: true });
    const seen = await history.requireTrue(calls);
    await calls.requireNothingWrong();
    const said = await strictCheck(folder, server);
    await server.stop();
    const codes = [...answers].sort(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`);
    return `${times} operations, ${kills} kills, ${lost} answers lost · ${codes.join(', ')} · ${seen} · ${said}`;
  } finally {
    calls.close();
    await server.kill();
  }
}

function requireHash(bytes, hash) {
  const got = hashOf(bytes);
  if (got !== hash) throw new Error(`Expected ${hash}, got ${got}`);
}

/** What the operator asks. @returns what it says of the bytes. @throws Error with its answer when anything is wrong */
async function strictCheck(folder, server) {
  const home = join(folder, 'home');
  const endpoint = {
    url: server.url,
    caFile: join(home, 'tls/ca.pem'),
    tokenFile: join(home, 'admin.token'),
    username: 'admin',
    pid: 1,
    version: '0',
  };
  await writeFile(join(home, 'endpoint.json'), JSON.stringify(endpoint), { mode: 0o600 });
  const words = [SCS, 'library', 'check', '--strict'];
  const { stdout } = await run(process.execPath, words, {
    env: { PATH: process.env.PATH, HOME: folder, SCS_HOME: home },
  }).catch((error) => {
    throw new Error(`scs library check --strict: ${error.stdout}${error.stderr}`);
  });
  const [, difference] = /: (0 bytes of difference)/.exec(stdout) ?? [];
  if (difference === undefined) throw new Error(`Expected no difference, got ${stdout}`);
  return difference;
}
