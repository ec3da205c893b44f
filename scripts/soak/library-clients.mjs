// Clients of one kind, in a process of their own: what they cost is not taken from others. Started by clients.mjs with the port of a server, the
// file of its authority, and a kind; does what it is told, one thing at a time, and says what came of it.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { connect } from 'node:tls';
import { setTimeout as wait } from 'node:timers/promises';
import { newImage, repeat } from './library.mjs';
import { within } from './until.mjs';

const [port, authority, kind] = process.argv.slice(2);
const ca = readFileSync(authority);
const open = () => connect({ host: '127.0.0.1', port: Number(port), servername: 'localhost', ca });

const KINDS = {
  others: { pull },
  hangups: { hangUp },
  slow: { begin, stop },
};

process.on('message', (message) => void answer(message));
process.send({ answer: 'ready' });

async function answer({ ask, ...wanted }) {
  try {
    process.send({ answer: (await KINDS[kind][ask](wanted)) ?? {} });
  } catch (error) {
    process.send({ error: error.stack });
  }
}

/** So many who pull for a time, each as fast as it can, over a connection of its own each time. @returns bytes in a millisecond */
async function pull({ path, size, count, time }) {
  let bytes = 0;
  const begun = performance.now();
  const other = async () => {
    while (performance.now() < begun + time) {
      await pulled(path, size);
      bytes += size;
    }
  };
  await Promise.all(Array.from({ length: count }, other));
  return { rate: bytes / (performance.now() - begun) };
}

async function pulled(path, size) {
  const headers = { range: `bytes=0-${size - 1}` };
  const agent = new Agent();
  const asking = request(`https://localhost:${port}${path}`, { agent, ca, headers });
  asking.end();
  const [answer] = await once(asking, 'response');
  let got = 0;
  answer.on('data', (chunk) => (got += chunk.length));
  await once(answer, 'end');
  agent.destroy();
  if (answer.statusCode !== 206 || got !== size)
    throw new Error(`Expected ${size} bytes, got ${got} with ${answer.statusCode}`);
}

/** Half of them in the middle of a download, half of an upload, `rate` in a second. @returns how many were connected at once */
async function hangUp({ path, addresses, size, lengths, rate }) {
  const body = newImage(Math.max(...lengths)).bytes;
  const begun = performance.now();
  const all = [];
  let connected = 0;
  let most = 0;
  for (const [at, length] of lengths.entries()) {
    await wait(Math.max(0, begun + (at * 1000) / rate - performance.now()));
    const { pathname, search } = new URL(addresses[at % addresses.length]);
    connected += 1;
    most = Math.max(most, connected);
    all.push(
      (at % 2 === 0
        ? hungUp([`GET ${path} HTTP/1.1`], undefined, length)
        : hungUp([`PUT ${pathname}${search} HTTP/1.1`, `content-length: ${size}`], body.subarray(0, length))
      ).finally(() => (connected -= 1)),
    );
  }
  await Promise.all(all);
  return { most };
}

/** Sends a request, and goes when the body was handed over or enough of the answer has come. */
async function hungUp(head, body, enough) {
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

const sockets = new Set();

/** Clients that take `rate` bytes in a second, each on a connection of its own. Resolves when all of them have begun. */
async function begin({ path, count, rate }) {
  await repeat(count, 50, async () => {
    const socket = open();
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    socket.on('data', (chunk) => {
      socket.pause();
      setTimeout(() => socket.resume(), (chunk.length / rate) * 1000).unref();
    });
    await within(60_000, 'a slow reader to begin', once(socket, 'data'));
  });
}

/** @returns how many were still served */
function stop() {
  const served = sockets.size;
  for (const socket of sockets) socket.destroy();
  return { served };
}
