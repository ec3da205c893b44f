import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { connect } from 'node:tls';
import { hashOf, LibraryCalls, newImage, repeat } from './library.mjs';
import { libraryServer } from './server.mjs';
import { within } from './until.mjs';

const MIB = 1024 * 1024;
const SIZE = 32 * MIB;
/** Clients at a time that hang up, and how often each of them comes again, in milliseconds: a hundred in a second. */
const WIDTH = 100;
const EVERY = 1000;
/** Of ten that hang up, one reads slowly. */
const SLOW_SHARE = 10;
/** Bytes in a second of a slow reader. */
const SLOW = 10_000;
/** Who pulls meanwhile, and how much of the image each time. */
const OTHERS = 4;
const PULL = 16 * MIB;
/** How long the rate of the others is measured, in milliseconds, with all those clients; with fewer not as long. */
const WINDOW = 5000;
const WHOLE = 10_000;
/** What the server may have for itself at any moment. */
const MEMORY = 400 * MIB;

/**
 * Clients that hang up in the middle of a download or an upload, and a tenth as many that read so slowly that they stay for all the time.
 * Others get their bytes meanwhile, the server keeps little memory, and nothing is left over.
 */
export async function libraryHangups({ times, folder, random }) {
  const server = await libraryServer(folder);
  await server.start();
  const calls = new LibraryCalls(server);
  const path = '/v1/imagefile/admin/soak/hangups:v1?arch=amd64';
  const { port } = new URL(server.url);
  const { ca } = server;
  const open = () => connect({ host: '127.0.0.1', port: Number(port), servername: 'localhost', ca });

  /** Sends a request, and goes when the body was handed over or enough of the answer has come. */
  async function hangUp(head, body, enough) {
    const socket = open();
    const closed = once(socket, 'close').catch(() => undefined);
    socket.on('error', () => undefined);
    socket.write(`${head.join('\r\n')}\r\nhost: localhost\r\n\r\n`);
    if (body !== undefined) socket.write(body, () => socket.destroy());
    let got = 0;
    socket.on('data', (chunk) => {
      got += chunk.length;
      if (got >= enough) socket.destroy();
    });
    await within(60_000, 'a client to hang up', closed);
  }

  /** The rate of the others, in bytes in a millisecond. */
  async function rateOfOthers() {
    const over = performance.now() + WINDOW * Math.max(0.3, Math.min(1, times / WHOLE));
    let bytes = 0;
    const other = async () => {
      while (performance.now() < over) bytes += (await pulled(calls, path)).length;
    };
    const begin = performance.now();
    await Promise.all(Array.from({ length: OTHERS }, other));
    return bytes / (performance.now() - begin);
  }

  let memory;
  try {
    const container = await calls.container('hangups');
    const image = newImage(SIZE);
    await calls.push(container, image, 'v1');
    const before = server.descriptors().length;
    memory = server.watchMemory();
    const alone = await rateOfOthers();

    const readers = await slowReaders(Math.ceil(times / SLOW_SHARE), { open, path });
    // First they get what buffers of the system take.
    await server.untilIdle();
    const besideSlow = await rateOfOthers();
    const addresses = await uploadAddresses(calls, container);
    const cut = repeat(times, WIDTH, async (round) => {
      // Not all of them at the same moment.
      if (round < WIDTH) await wait((EVERY * round) / WIDTH);
      const next = wait(EVERY);
      const length = random.between(1, MIB / 4);
      const { pathname, search } = new URL(addresses[round % WIDTH]);
      await (round % 2 === 0
        ? hangUp([`GET ${path} HTTP/1.1`], undefined, length)
        : hangUp(
            [`PUT ${pathname}${search} HTTP/1.1`, `content-length: ${SIZE}`],
            image.bytes.subarray(0, length),
          ));
      await next;
    });
    const besideAll = await rateOfOthers();
    await cut;
    const waiting = readers.stop();
    await server.requireClean(before, { patience: 120_000 });
    const again = await rateOfOthers();
    const got = await calls.send('GET', path);
    if (hashOf(got) !== image.hash) throw new Error('Expected the bytes that were pushed, got others');
    const peak = memory.stop();
    if (peak > MEMORY) throw new Error(`Expected at most ${MEMORY} bytes of memory, got ${peak}`);
    const after = server.descriptors().length;
    await calls.requireNothingWrong();
    await server.stop();
    const share = (rate) => ((2 * rate) / (alone + again)).toFixed(2);
    return (
      `${times} hung up, ${readers.count} read slowly (${waiting} to the end) · others at ${share(besideSlow)} of their rate beside slow readers, ` +
      `${share(besideAll)} while the rest hung up · ${(peak / MIB).toFixed(0)} MiB of its own at most · descriptors ${before} → ${after}`
    );
  } finally {
    memory?.stop();
    calls.close();
    await server.kill();
  }
}

async function pulled(calls, path) {
  const { status, bytes } = await calls.answer('GET', path, undefined, {
    headers: { range: `bytes=0-${PULL - 1}` },
  });
  if (status !== 206 || bytes.length !== PULL)
    throw new Error(`Expected ${PULL} bytes, got ${bytes.length} with ${status}`);
  return bytes;
}

/** One address for each client at a time: an upload may be sent again when it was cut. */
async function uploadAddresses(calls, container) {
  const addresses = [];
  for (let at = 0; at < WIDTH; at += 1) {
    const id = await calls.announce(container, hashOf(Buffer.from(`upload ${at}`)));
    const { uploadURL } = await calls.send('POST', `/v2/imagefile/${id}`, { filesize: SIZE });
    addresses.push(uploadURL);
  }
  return addresses;
}

/** Clients that take 10 kB in a second, each on a connection of its own. Resolves when all of them have begun. */
async function slowReaders(count, { open, path }) {
  const sockets = [];
  let alive = count;
  const begin = async () => {
    const socket = open();
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => (alive -= 1));
    socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    socket.on('data', (chunk) => {
      socket.pause();
      setTimeout(() => socket.resume(), (chunk.length / SLOW) * 1000).unref();
    });
    await within(60_000, 'a slow reader to begin', once(socket, 'data'));
  };
  await repeat(count, 50, begin);
  return {
    count,
    /** @returns how many were still served */
    stop() {
      const left = alive;
      for (const socket of sockets) socket.destroy();
      return left;
    },
  };
}
