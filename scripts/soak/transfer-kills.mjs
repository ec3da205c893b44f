import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { hashOfFile, imageFile } from './image-file.mjs';
import { LibraryCalls } from './library.mjs';
import { openMeter } from './meter.mjs';
import { serverOf } from './server.mjs';
import { singUser } from './sing.mjs';
import { untilNothing, within } from './until.mjs';

const MIB = 1024 * 1024;
/** What the library takes at once, and what a pull asks for at once on each of its connections. */
const PART = 64 * MIB;
const RANGES = 4 * 16 * MIB;
/** TLS, HTTP, and what is said besides the bytes. */
const OVERHEAD = 0.01;
const PATIENCE = 120_000;
/** Who is killed: mostly the client, sometimes by Ctrl-C; the server comes back at once. */
const VICTIMS = ['client', 'client', 'client', 'interrupt', 'server', 'server'];

/**
 * `sing push` of an image, during which the client or the server is killed, again and again. After at most one repetition of the same
 * command the image is there, at most one part was sent twice, and nothing is left on either side.
 */
export async function pushKills({ times, folder, random, size }) {
  const stage = await open(folder);
  const { server, calls, user, meter } = stage;
  const image = await imageFile(join(folder, 'image.sif'), size);
  const statistics = new Statistics();
  let tag = 0;
  const push = async (killing) => {
    tag += 1;
    const hash = await image.change();
    const path = `admin/soak/pushes:v${tag}`;
    const words = ['push', '-U', image.path, `library://${path}`];
    const outcome = await repeated(stage, words, killing);
    const found = await calls.send('GET', `/v1/images/${path}?arch=amd64`);
    if (found.hash !== hash || !found.uploaded)
      throw new Error(`Expected ${hash}, got ${JSON.stringify(found)}`);
    const stored = await hashOfFile(server.blob(hash));
    if (stored !== hash) throw new Error(`Expected ${hash} on the disk of the library, got ${stored}`);
    statistics.add({ ...outcome, twice: twice(meter.take().up, image.size, PART) });
    await untilNothing('temporary files of the library', server.temporaries);
    requireNothing('files of interrupted pushes', listOr(join(user.cache, 'uploads')));
    await calls.send('DELETE', `/v1/images/${path}?arch=amd64`);
    return outcome;
  };
  try {
    await push(undefined);
    const { time } = await push(undefined);
    for (let round = 0; round < times; round += 1) await push(killingOf(random, time));
    await stage.stop();
    return statistics.text(times);
  } finally {
    image.close();
    await stage.close();
  }
}

/** The same with `sing pull`, with the cache and without it, with and without a file to replace. */
export async function pullKills({ times, folder, random, size }) {
  const stage = await open(folder);
  const { server, user, meter } = stage;
  const image = await imageFile(join(folder, 'image.sif'), size);
  const statistics = new Statistics();
  const hash = await image.change();
  const target = join(user.work, 'image.sif');
  const pull = async (killing, { cached, force }) => {
    rmSync(user.cache, { recursive: true, force: true });
    rmSync(target, { force: true });
    if (force) writeFileSync(target, 'something else');
    const words = [
      'pull',
      ...(cached ? [] : ['--disable-cache']),
      ...(force ? ['--force'] : []),
      'image.sif',
      'library://admin/soak/pulls:1',
    ];
    const outcome = await repeated(stage, words, killing);
    const found = await hashOfFile(target);
    if (found !== hash) throw new Error(`Expected ${hash}, got ${found}`);
    statistics.add({ ...outcome, twice: twice(meter.take().down, image.size, RANGES) });
    requireNothing(
      'other files',
      readdirSync(user.work).filter((name) => name !== 'image.sif'),
    );
    const expected = cached ? hash : '';
    const held = listOr(join(user.cache, 'library')).join(' ');
    if (held !== expected) throw new Error(`Expected ${expected} in the cache, got ${held}`);
    await untilNothing('open image data', server.openBlobs);
    return outcome;
  };
  try {
    await succeed(user.start('push', '-U', image.path, 'library://admin/soak/pulls:1'));
    meter.take();
    await pull(undefined, { cached: true, force: false });
    const { time } = await pull(undefined, { cached: true, force: true });
    for (let round = 0; round < times; round += 1)
      await pull(killingOf(random, time), {
        cached: random.oneOf([true, false]),
        force: random.oneOf([true, false]),
      });
    await stage.stop();
    return statistics.text(times);
  } finally {
    image.close();
    await stage.close();
  }
}

/** A library behind a meter, and somebody who reaches it through that. */
async function open(folder) {
  let port;
  const meter = await openMeter(() => port);
  const url = `https://localhost:${meter.port}`;
  // Clients ask the front end where everything is.
  const settings = { SCS_PUBLIC_URL: url, SCS_BUILDER_URL: url };
  const server = await serverOf(folder, 'auth,keystore,library,web', settings);
  port = Number(new URL(server.url).port);
  await server.start().catch(async (error) => {
    await meter.close();
    throw error;
  });
  const before = server.descriptors().length;
  const calls = new LibraryCalls(server);
  const user = singUser(folder, { url, ca: server.ca, token: server.token });
  return {
    server,
    calls,
    user,
    meter,
    async stop() {
      await server.requireClean(before);
      await calls.requireNothingWrong();
      await server.stop();
    },
    async close() {
      calls.close();
      await server.kill();
      await meter.close();
    },
  };
}

/** When and who. @param time of an undisturbed run, in milliseconds */
function killingOf(random, time) {
  return { victim: random.oneOf(VICTIMS), after: random.between(0, Math.ceil(time * 1.1)) };
}

/** Runs a command, kills somebody in its middle, and runs it once more when it did not come to its end. */
async function repeated({ server, user }, words, killing) {
  const begin = performance.now();
  const running = user.start(...words);
  let restart;
  if (killing !== undefined) {
    const over = Symbol('over');
    const early = await Promise.race([running.ended.then(() => over), wait(killing.after)]);
    if (early !== over && killing.victim === 'server') {
      await server.kill();
      restart = within(PATIENCE, 'the server to start', server.start());
    } else if (early !== over) running.kill(killing.victim === 'client' ? 'SIGKILL' : 'SIGINT');
  }
  const what = `sing ${words.join(' ')} to end (${JSON.stringify(killing)})`;
  const first = await within(PATIENCE, what, running.ended);
  await restart;
  const again = first.status !== 0;
  if (again) {
    const second = await within(PATIENCE, what, user.start(...words).ended);
    // Killed when the file was in its place: the command says that it is there.
    const isThere = words[0] === 'pull' && second.said.includes('already exists');
    if (second.status !== 0 && !isThere)
      throw new Error(
        `${JSON.stringify(killing)}: the repetition ended with ${second.status}: ${second.said}\nbefore: ${first.said}`,
      );
  }
  return { again, time: performance.now() - begin };
}

async function succeed(running) {
  const { status, said } = await running.ended;
  if (status !== 0) throw new Error(`sing ended with ${status}: ${said}`);
}

/** Bytes that went twice. @throws Error for more than `most` */
function twice(passed, size, most) {
  const more = Math.max(0, passed - size);
  if (more > most + size * OVERHEAD) throw new Error(`Expected at most ${most} bytes twice, got ${more}`);
  return more;
}

function requireNothing(what, names) {
  if (names.length > 0) throw new Error(`Expected no ${what}, got ${names.join(' ')}`);
}

function listOr(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

class Statistics {
  #repeated = 0;
  #most = 0;
  #sum = 0;
  #count = 0;

  add({ again, twice: bytes }) {
    this.#repeated += again ? 1 : 0;
    this.#most = Math.max(this.#most, bytes);
    this.#sum += bytes;
    this.#count += 1;
  }

  text(times) {
    const mib = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;
    const mean = this.#sum / Math.max(1, this.#count);
    return `${times} kills, ${this.#repeated} commands repeated once · sent twice: ${mib(mean)} on average, ${mib(this.#most)} at most`;
  }
}
