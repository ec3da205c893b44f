import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import {
  link,
  lstat,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startScript } from '../../../../test/support/script.js';
import { LibraryImage } from '#libs/contract';
import { parseDigest, processName, readRange } from '#libs/core';
import { HttpClient } from '../http.js';
import { closeServers, serve } from '../testing/servers.js';
import { LibraryClient } from './libraryClient.js';
import { TRANSFER } from '../transfer/limits.js';
import { placeCopy } from '../transfer/download.js';
import { partialFiles } from '../transfer/partialFile.js';
import { pullImage, type PullProgress } from './pull.js';

const MIB = 1024 * 1024;
const sha = (data: Buffer) => parseDigest(`sha256.${createHash('sha256').update(data).digest('hex')}`);

let folder: string;
let destination: string;
let data: Buffer;
let requests: IncomingMessage['headers'][];
/** Bytes of bodies that were handed over. */
let sent: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scs-pull-'));
  destination = join(folder, 'image.sif');
  data = randomBytes(2 * TRANSFER.range + 12_345);
  requests = [];
  sent = 0;
});
afterEach(async () => {
  await closeServers();
  await rm(folder, { recursive: true });
});

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => unknown;

/** A server of one file; `before` may answer a request in another way and says so by returning true. */
async function serveImage(before: Handler = () => undefined): Promise<string> {
  return serve((request, response) => {
    requests.push(request.headers);
    if (before(request, response, requests.length) === true) return;
    const range = readRange(request.headers.range, data.length);
    if (range.kind !== 'part') return void response.end(data);
    const headers = { 'content-range': `bytes ${range.start}-${range.end}/${data.length}` };
    sent += range.end - range.start + 1;
    response.writeHead(206, headers).end(data.subarray(range.start, range.end + 1));
  });
}
const clientOf = (baseUrl: string): LibraryClient =>
  new LibraryClient(new HttpClient({ baseUrl, userAgent: 'test' }));
const library = async (before?: Handler): Promise<LibraryClient> => clientOf(await serveImage(before));

const imageOf = (bytes: Buffer) =>
  LibraryImage.parse({ id: 'x', hash: sha(bytes), size: bytes.length, uploaded: true });
const pull = async (client: LibraryClient, more: object = {}) =>
  pullImage(client, { image: imageOf(data), path: 'e/c/n', destination, ...more });
const isWhole = async (): Promise<void> => {
  expect((await readFile(destination)).equals(data)).toBe(true);
  expect(await readdir(folder)).toEqual(['image.sif']);
};
const ranges = () => requests.map(({ range }) => range);

/** The name of a process that is not there any more. */
const dead = processName().replace(/\d+$/, '1');
/** A name of a partial file of the image. */
const nameOf = (owner: string, bytes = data) =>
  join(folder, `.image.sif.${sha(bytes).slice(7, 23)}.${owner}.partial`);
/** As a pull that was killed leaves it: the file is as long as its bytes and the journal. */
async function partial(owner: string, journal: readonly string[], bytes = data): Promise<string> {
  const text = [`scs-pull 1 ${sha(bytes)} ${bytes.length}`, ...journal].map((line) => `${line}\n`).join('');
  await writeFile(nameOf(owner, bytes), Buffer.concat([bytes, Buffer.from(text)]));
  return nameOf(owner, bytes);
}

describe('a pull', () => {
  it('fetches ranges at once, checks the hash, and puts the whole in place with its mode', async () => {
    const seen: PullProgress[] = [];
    const onProgress = (now: PullProgress) => seen.push(now);
    const result = await pull(await library(), { onProgress, mode: 0o751 });
    expect(result).toEqual({ digest: sha(data), size: data.length });
    await isWhole();
    expect((await stat(destination)).mode & 0o777).toBe(0o751);
    expect(ranges()).toHaveLength(3);
    const last = { done: data.length, total: data.length };
    expect(seen.findLast(({ phase }) => phase === 'receiving')).toMatchObject(last);
    expect(seen.at(-1)).toEqual({ phase: 'checking', ...last });
  });

  it('takes the whole file from a server that ignores ranges, and asks once', async () => {
    const client = await library((_, response) => {
      response.end(data);
      return true;
    });
    await pull(client);
    await isWhole();
    expect(ranges()).toHaveLength(1);
  });

  it('refuses other bytes than the library says, and leaves nothing', async () => {
    const client = await library((_, response) => {
      response.end(Buffer.alloc(data.length));
      return true;
    });
    await expect(pull(client)).rejects.toMatchObject({ code: 'unprocessable', reason: 'wrong_digest' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('refuses a range that was not asked for', async () => {
    const client = await library((_, response) => {
      response
        .writeHead(206, { 'content-range': `bytes 1-16777216/${data.length}` })
        .end(data.subarray(1, TRANSFER.range + 1));
      return true;
    });
    await expect(pull(client)).rejects.toMatchObject({ reason: 'bad_answer' });
  });

  it('does not replace a file unless it is told to', async () => {
    await writeFile(destination, 'precious');
    const client = await library();
    await expect(pull(client)).rejects.toMatchObject({ reason: 'exists' });
    expect(requests).toEqual([]);
    await pull(client, { overwrite: true });
    await isWhole();
  });

  it('fetches nothing for a file that is in its place already', async () => {
    await writeFile(destination, data, { mode: 0o600 });
    await pull(await library(), { overwrite: true, mode: 0o751 });
    expect(requests).toEqual([]);
    expect((await stat(destination)).mode & 0o777).toBe(0o751);
    await writeFile(destination, Buffer.alloc(data.length));
    await pull(await library(), { overwrite: true });
    expect(ranges()).toHaveLength(3);
    await isWhole();
  });

  it('replaces a symbolic link, and not what it leads to', async () => {
    const other = join(folder, 'other');
    await writeFile(other, data);
    await symlink(other, destination);
    await pull(await library(), { overwrite: true });
    expect(ranges()).toHaveLength(3);
    expect((await lstat(destination)).isFile()).toBe(true);
    expect((await readdir(folder)).toSorted()).toEqual(['image.sif', 'other']);
  });

  it('says before it begins that there is no space', async () => {
    const image = { ...imageOf(data), size: 2 ** 52 };
    await expect(pull(await library(), { image })).rejects.toMatchObject({
      code: 'out_of_space',
      reason: 'disk_full',
      message: `No space left in ${folder} for an image of ${2 ** 52} bytes`,
    });
    expect(requests).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('connections that break', () => {
  it('cost what was on the way: the range goes on in its middle', async () => {
    let broken = 0;
    const client = await library((request, response) => {
      const range = readRange(request.headers.range, data.length);
      if (broken >= 2 || range.kind !== 'part') return false;
      broken += 1;
      const length = range.end - range.start + 1;
      response.writeHead(206, {
        'content-range': `bytes ${range.start}-${range.end}/${data.length}`,
        'content-length': length,
      });
      response.write(data.subarray(range.start, range.start + 3_000_000), () => response.destroy());
      return true;
    });
    const retries: unknown[] = [];
    await pull(client, { connections: 1, onRetry: (error: unknown) => retries.push(error) });
    await isWhole();
    expect(retries).toHaveLength(2);
    expect(ranges().some((range) => range !== undefined && /bytes=[1-9]\d{5,6}-/.test(range))).toBe(true);
  });

  it('break for good: what is there is kept, and used the next time', async () => {
    const stop = new AbortController();
    const client = await library((_, response, count) => {
      if (count !== 2) return false;
      stop.abort(new Error('interrupted'));
      response.destroy();
      return true;
    });
    const kept: number[] = [];
    const options = { connections: 1, signal: stop.signal, onKept: (bytes: number) => kept.push(bytes) };
    await expect(pull(client, options)).rejects.toThrow('interrupted');
    expect(kept).toEqual([TRANSFER.range]);
    expect((await partialFiles(folder)).map(({ abandoned }) => abandoned)).toEqual([false]);
    requests = [];
    await pull(await library());
    expect(ranges()).toHaveLength(2);
    await isWhole();
  });
});

describe('another process', () => {
  it('goes on with what one that was killed has left', async () => {
    let left = 28 * MIB;
    // As much as that, and nothing more until the client is gone.
    const baseUrl = await serveImage((request, response) => {
      const range = readRange(request.headers.range, data.length);
      if (range.kind !== 'part' || left <= 0) return false;
      const length = range.end - range.start + 1;
      const now = Math.min(left, length);
      left -= now;
      sent += now;
      response.writeHead(206, {
        'content-range': `bytes ${range.start}-${range.end}/${data.length}`,
        'content-length': length,
      });
      response.write(data.subarray(range.start, range.start + now));
      if (now === length) response.end();
      return true;
    });
    const script = startScript('pull.script.ts', [baseUrl, sha(data), String(data.length), destination]);
    // The last batch may not be full.
    await script.line((line) => Number(line.split(' ')[1]) >= 27 * MIB);
    await script.end('SIGKILL');
    expect((await partialFiles(folder)).map(({ abandoned }) => abandoned)).toEqual([true]);
    await pull(clientOf(baseUrl));
    await isWhole();
    expect(sent - data.length).toBeLessThanOrEqual(TRANSFER.noteEvery + MIB);
  });

  it('that runs is not disturbed', async () => {
    const running = startScript('pull.script.ts', [
      await serveImage((_, response) => {
        response.writeHead(206, { 'content-range': `bytes 0-${TRANSFER.range - 1}/${data.length}` });
        response.write(data.subarray(0, 5 * MIB));
        return true;
      }),
      sha(data),
      String(data.length),
      destination,
    ]);
    await running.line((line) => line !== 'there 0');
    const [theirs] = await partialFiles(folder);
    expect(theirs?.abandoned).toBe(false);
    requests = [];
    await pull(await library());
    expect((await readFile(destination)).equals(data)).toBe(true);
    expect(ranges()).toHaveLength(3);
    expect((await partialFiles(folder)).map(({ path }) => path)).toEqual([theirs?.path]);
    await running.end('SIGKILL');
  });

  it('that cannot be judged from here is not disturbed either while it shows that it lives', async () => {
    const elsewhere = await partial(`${'0'.repeat(16)}-00000000-1-1-1`, [`0-${data.length - 1}`]);
    await pull(await library());
    expect(ranges()).toHaveLength(3);
    await rm(destination);
    const handle = await open(elsewhere);
    const old = new Date(Date.now() - TRANSFER.abandonedAfter - 1000);
    await handle.utimes(old, old);
    await handle.close();
    requests = [];
    await pull(await library());
    expect(requests).toEqual([]);
    await isWhole();
  });

  it('has put the same image in place meanwhile: that is what was wanted', async () => {
    const client = await library((_, _response, count) => {
      if (count === 3) writeFileSync(destination, data);
    });
    await expect(pull(client, { connections: 1 })).resolves.toMatchObject({ digest: sha(data) });
    await isWhole();
  });

  it('has put something else in place meanwhile: it stays, and nothing else does', async () => {
    const client = await library((_, _response, count) => {
      if (count === 1) writeFileSync(destination, 'precious');
    });
    await expect(pull(client)).rejects.toMatchObject({ code: 'conflict', reason: 'exists' });
    expect(await readFile(destination, 'utf8')).toBe('precious');
    expect(await readdir(folder)).toEqual(['image.sif']);
  });

  it('was killed when all was checked: nothing is fetched', async () => {
    await writeFile(nameOf(dead), data);
    await pull(await library());
    expect(requests).toEqual([]);
    await isWhole();
  });

  it('was killed when the file was in its place: its second name goes', async () => {
    await writeFile(destination, data);
    await link(destination, nameOf(dead));
    await expect(pull(await library())).rejects.toMatchObject({ reason: 'exists' });
    await isWhole();
  });

  it('has left parts of what nobody wants at this place any more: they go', async () => {
    await partial(dead, [], randomBytes(MIB));
    await writeFile(join(folder, 'image'), 'x');
    await pull(await library());
    expect((await readdir(folder)).toSorted()).toEqual(['image', 'image.sif']);
  });
});

describe('what is found', () => {
  it('is fetched again when it is damaged', async () => {
    const path = await partial(dead, [`0-${TRANSFER.range - 1}`]);
    const handle = await open(path, 'r+');
    await handle.write(Buffer.alloc(1000), 0, 1000, 5000);
    await handle.close();
    await pull(await library());
    await isWhole();
    // First what was missing, then all of it.
    expect(ranges()).toHaveLength(2 + 3);
  });

  it.each([
    ['cut off in the middle of a line', ['0-9999999', '10000000-129999']],
    ['longer than the image', [`0-${10 ** 14}`]],
    ['backwards', ['20-10']],
    ['nonsense', ['x', '', '\u0000\u0000', '1e3-5', '-5-10']],
  ])('does not count where its journal is %s', async (_, lines) => {
    const path = await partial(dead, lines);
    // Nothing of the bytes is right: what counts is fetched, and the rest is believed.
    const handle = await open(path, 'r+');
    await handle.write(Buffer.alloc(data.length), 0, data.length, 0);
    if (lines.length === 2) {
      await handle.write(data, 0, 10_000_000, 0);
      await handle.truncate((await handle.stat()).size - 1);
    }
    await handle.close();
    await pull(await library());
    await isWhole();
    const again = ranges().filter((range) => range?.startsWith('bytes=0-'));
    expect(again).toHaveLength(lines.length === 2 ? 0 : 1);
  });

  it('is of no use when it is the journal of something else', async () => {
    const path = await partial(dead, [`0-${data.length - 1}`]);
    const handle = await open(path, 'r+');
    await handle.write('scs-pull 1 sha256.0000', data.length);
    await handle.close();
    await pull(await library());
    expect(ranges()).toHaveLength(3);
    await isWhole();
  });
});

describe('what the server has under the address', () => {
  const tagged = (etag: string, bytes: () => Buffer): Handler => {
    return (request, response) => {
      const whole = request.headers['if-range'] !== undefined && request.headers['if-range'] !== etag;
      const range = readRange(request.headers.range, bytes().length);
      response.setHeader('etag', etag);
      if (whole || range.kind !== 'part') response.end(bytes());
      else {
        response.writeHead(206, { 'content-range': `bytes ${range.start}-${range.end}/${bytes().length}` });
        response.end(bytes().subarray(range.start, range.end + 1));
      }
      return true;
    };
  };

  it('is asked for only as long as it is the same, and all is fetched when it is not, in this process or another', async () => {
    const other = randomBytes(data.length);
    // One range of an older content was fetched, and the process killed.
    const path = await partial(dead, [
      `e ${Buffer.from('"old"').toString('base64url')}`,
      `0-${TRANSFER.range - 1}`,
    ]);
    const handle = await open(path, 'r+');
    await handle.write(other, 0, TRANSFER.range, 0);
    await handle.close();
    await pull(await library(tagged('"new"', () => data)));
    await isWhole();
    expect(requests[0]?.['if-range']).toBe('"old"');
    expect(requests.slice(1).every((headers) => headers['if-range'] !== '"old"')).toBe(true);
  });

  it('changes again and again: that is a sentence', async () => {
    let version = 0;
    const client = await library((request, response) => {
      version += 1;
      return tagged(`"v${version}"`, () => data)(request, response, 0);
    });
    await expect(pull(client, { connections: 1 })).rejects.toMatchObject({ reason: 'changed' });
  });

  it('is another image by its own account: it is not fetched', async () => {
    const client = await library(tagged(`"${sha(Buffer.from('x'))}"`, () => data));
    await expect(pull(client)).rejects.toMatchObject({ code: 'unprocessable', reason: 'wrong_digest' });
    expect(requests).toHaveLength(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is told apart by strong validators alone', async () => {
    let count = 0;
    const client = await library((_, response) => {
      response.setHeader('etag', `W/"${(count += 1)}"`);
    });
    await pull(client);
    await isWhole();
    expect(requests.every((headers) => headers['if-range'] === undefined)).toBe(true);
  });
});

describe('a copy of a checked file', () => {
  const copy = (source: string, overwrite = false) =>
    placeCopy(source, { destination, digest: sha(data), size: data.length }, { overwrite, mode: 0o750 });

  it('appears whole with its mode, and takes the place of a copy that was killed', async () => {
    const source = join(folder, 'source');
    await writeFile(source, data);
    await writeFile(nameOf(dead), data.subarray(0, 5 * MIB));
    await copy(source);
    expect((await readFile(destination)).equals(data)).toBe(true);
    expect((await stat(destination)).mode & 0o777).toBe(0o750);
    expect((await readdir(folder)).toSorted()).toEqual(['image.sif', 'source']);
    await expect(copy(source)).rejects.toMatchObject({ reason: 'exists' });
    await copy(source, true);
  });

  it('leaves nothing when the file is gone', async () => {
    await expect(copy(join(folder, 'nothing'))).rejects.toMatchObject({
      code: 'ENOENT',
      path: join(folder, 'nothing'),
    });
    expect(await readdir(folder)).toEqual([]);
  });
});
