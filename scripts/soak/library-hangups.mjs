import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { clientsOf } from './clients.mjs';
import { hashOf, LibraryCalls, newImage } from './library.mjs';
import { libraryServer } from './server.mjs';

const MIB = 1024 * 1024;
const SIZE = 32 * MIB;
/** Of ten that hang up, one reads slowly. */
const SLOW_SHARE = 10;
/** Bytes in a second of a slow reader. */
const SLOW = 10_000;
/** Who pulls meanwhile, and how much of the image each time. */
const OTHERS = { count: 4, size: 16 * MIB };
/** Addresses of uploads that are begun and cut again and again. */
const ADDRESSES = 100;
/**
 * How many hang up in a second, in how many rounds, and for how many milliseconds the rate of the others is measured each time when nobody hangs up.
 * As many as there are take 250 s; fewer hang up faster.
 */
const WHOLE = { times: 10_000, rate: 40, rounds: 5, window: 6000 };
const SHORT = { rate: 100, rounds: 1, window: 1500 };
/** What the server may have for itself at any moment (decision 30). */
const MEMORY = 400 * MIB;

/**
 * Clients that hang up in the middle of a download or an upload, and a tenth as many that read so slowly that they stay for all the time.
 * Others get their bytes meanwhile, the server keeps little memory, and nothing is left over. The rate of the others is compared with what it is before
 * and after, with all processes of clients there and idle; the medians of several rounds.
 */
export async function libraryHangups({ times, folder, random }) {
  const { rate, rounds, window } = times >= WHOLE.times ? WHOLE : SHORT;
  const server = await libraryServer(folder);
  await server.start();
  const calls = new LibraryCalls(server);
  const path = '/v1/imagefile/admin/soak/hangups:v1?arch=amd64';
  const kinds = [];
  let memory;
  try {
    const container = await calls.container('hangups');
    const image = newImage(SIZE);
    await calls.push(container, image, 'v1');
    const addresses = await uploadAddresses(calls, container);
    const before = server.descriptors().length;
    memory = server.watchMemory();
    const where = { port: new URL(server.url).port, authority: join(folder, 'home/tls/ca.pem') };
    for (const kind of ['others', 'hangups', 'slow']) kinds.push(await clientsOf(kind, where));
    const [others, hangups, slow] = kinds;
    const pull = async (time) => (await others.ask('pull', { path, ...OTHERS, time })).rate;
    const rates = { alone: [], slow: [], all: [] };
    const measured = async (into, count = 1) => {
      for (let round = 0; round < count; round += 1) into.push(await pull(window));
    };

    await measured(rates.alone, rounds);
    const readers = Math.ceil(times / SLOW_SHARE);
    await slow.ask('begin', { path, count: readers, rate: SLOW });
    // First they get what buffers of the system take.
    await server.untilIdle();
    const working = [server, ...kinds];
    let most = 0;
    const shares = [];
    for (let round = 0; round < rounds; round += 1) {
      await measured(rates.slow);
      const count = Math.floor((times * (round + 1)) / rounds) - Math.floor((times * round) / rounds);
      const lengths = Array.from({ length: count }, () => random.between(1, MIB / 4));
      const begun = performance.now();
      const workedBefore = working.map((one) => one.worked());
      const cut = hangups.ask('hangUp', { path, addresses, size: SIZE, lengths, rate });
      rates.all.push(await pull((count / rate) * 1000));
      most = Math.max(most, (await cut).most);
      const time = performance.now() - begun;
      shares.push(working.map((one, at) => (one.worked() - workedBefore[at]) / time));
    }
    const kept = connectionMemory();
    const { served } = await slow.ask('stop');
    await server.requireClean(before, { patience: 120_000 });
    await measured(rates.alone, rounds);
    const got = await calls.send('GET', path);
    if (hashOf(got) !== image.hash) throw new Error('Expected the bytes that were pushed, got others');
    if (served < readers) throw new Error(`Expected ${readers} slow readers to be served, got ${served}`);
    const peak = memory.stop();
    if (peak > MEMORY) throw new Error(`Expected at most ${MEMORY} bytes of memory, got ${peak}`);
    const after = server.descriptors().length;
    await calls.requireNothingWrong();
    await server.stop();
    const share = (some) => (median(some) / median(rates.alone)).toFixed(2);
    const busy = shares[0].map((_, at) => percent(median(shares.map((round) => round[at]))));
    return (
      `${times} hung up, ${rate} in a second (${most} at once), ${readers} read slowly · others at ${share(rates.slow)} of their rate beside ` +
      `slow readers, ${share(rates.all)} while the rest hung up · processors meanwhile: server ${busy[0]}, others ${busy[1]}, who hangs up ${busy[2]}, ` +
      `slow readers ${busy[3]} · ${(peak / MIB).toFixed(0)} MiB of its own at most, ${(kept / MIB).toFixed(0)} MiB of the system for connections · ` +
      `descriptors ${before} → ${after}`
    );
  } finally {
    memory?.stop();
    for (const kind of kinds) kind.end();
    calls.close();
    await server.kill();
  }
}

/** One address for each client at a time: an upload may be sent again when it was cut. */
async function uploadAddresses(calls, container) {
  const addresses = [];
  for (let at = 0; at < ADDRESSES; at += 1) {
    const id = await calls.announce(container, hashOf(Buffer.from(`upload ${at}`)));
    const { uploadURL } = await calls.send('POST', `/v2/imagefile/${id}`, { filesize: SIZE });
    addresses.push(uploadURL);
  }
  return addresses;
}

/** Bytes that the system has for TCP connections, all there are (proc_net(5), sockstat), in pages of 4 KiB. */
function connectionMemory() {
  const [, pages] = /^TCP: .* mem (\d+)$/m.exec(readFileSync('/proc/net/sockstat', 'latin1')) ?? [];
  return Number(pages ?? 0) * 4096;
}

const percent = (share) => `${Math.round(share * 100)} %`;

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
