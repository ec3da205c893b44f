import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LibraryImage } from '#libs/contract';
import { readRange } from '#libs/core';
import { HttpClient } from '../http.js';
import { closeServers, serve } from '../testing/servers.js';
import { LibraryClient } from './libraryClient.js';
import { pullImage } from './pull.js';
import { TRANSFER } from './limits.js';
import { persist } from './retry.js';
import { protocolOf } from './versions.js';

const sha = (data: Buffer) => `sha256.${createHash('sha256').update(data).digest('hex')}`;

describe('protocolOf (library contract §2.4)', () => {
  it.each([
    [undefined, false, false],
    ['v2.0.0', false, false],
    ['2.0', false, false],
    ['1.9.9', false, false],
    ['2.0.0-alpha', false, false],
    ['2.0.0-alpha.0', false, false],
    ['2.0.0-alpha.1', true, false],
    ['2.0.0-alpha.2', true, true],
    ['2.0.0-beta', true, true],
    ['2.0.0', true, true],
    ['2.1.0-alpha.1', true, true],
    ['3.0.0', true, true],
  ])('%s', (version, signedUploads, archTags) => {
    expect(protocolOf(version)).toEqual({ signedUploads, archTags });
  });
});

it('asks what a server offers without its token: one for the library alone would be refused there', async () => {
  const baseUrl = await serve((request, response) => {
    const offered = { data: { version: '1', apiVersion: '2.0.0' } };
    const refused = { error: { code: 401, message: 'The token is not meant for this service' } };
    response.end(JSON.stringify(request.headers.authorization === undefined ? offered : refused));
  });
  const client = new LibraryClient(new HttpClient({ baseUrl, token: 'exchanged', userAgent: 'test' }));
  expect(await client.protocol()).toEqual({ signedUploads: true, archTags: true });
  await closeServers();
});

describe('pulling', () => {
  let folder: string;
  let destination: string;
  let data: Buffer;
  let requests: (string | undefined)[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'scs-pull-'));
    destination = join(folder, 'image.sif');
    data = randomBytes(2 * TRANSFER.range + 12_345);
    requests = [];
  });
  afterEach(async () => {
    await closeServers();
    await rm(folder, { recursive: true });
  });

  type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => unknown;

  /** A server of one file; `before` may answer a request in another way and says so by returning true. */
  async function library(before: Handler = () => undefined): Promise<LibraryClient> {
    const baseUrl = await serve((request, response) => {
      requests.push(request.headers.range);
      if (before(request, response, requests.length) === true) return;
      const range = readRange(request.headers.range, data.length);
      if (range.kind !== 'part') return void response.end(data);
      const headers = { 'content-range': `bytes ${range.start}-${range.end}/${data.length}` };
      response.writeHead(206, headers).end(data.subarray(range.start, range.end + 1));
    });
    return new LibraryClient(new HttpClient({ baseUrl, userAgent: 'test' }));
  }

  const pull = async (client: LibraryClient, more: object = {}) =>
    pullImage(client, {
      image: LibraryImage.parse({ id: 'x', hash: sha(data), size: data.length, uploaded: true }),
      path: 'e/c/n',
      destination,
      ...more,
    });

  it('fetches ranges at once and puts the whole in place', async () => {
    const seen: number[] = [];
    const result = await pull(await library(), { onProgress: (done: number) => seen.push(done) });
    expect(result).toEqual({ digest: sha(data), size: data.length });
    expect((await readFile(destination)).equals(data)).toBe(true);
    expect(await readdir(folder)).toEqual(['image.sif']);
    expect(requests).toHaveLength(3);
    expect(seen.at(-1)).toBe(data.length);
  });

  it('takes the whole file from a server that ignores ranges, and asks once', async () => {
    const client = await library((_, response) => {
      response.end(data);
      return true;
    });
    await pull(client);
    expect((await readFile(destination)).equals(data)).toBe(true);
    expect(requests).toHaveLength(1);
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

  it('goes on in the middle of a range when the connection breaks', async () => {
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
    expect((await readFile(destination)).equals(data)).toBe(true);
    expect(retries).toHaveLength(2);
    expect(requests.some((range) => range !== undefined && /bytes=[1-9]\d{5,6}-/.test(range))).toBe(true);
  });

  it('uses what an interrupted pull has left', async () => {
    const stop = new AbortController();
    const client = await library((_, response, count) => {
      if (count !== 2) return false;
      stop.abort(new Error('interrupted'));
      response.destroy();
      return true;
    });
    await expect(pull(client, { connections: 1, signal: stop.signal })).rejects.toThrow('interrupted');
    expect((await readdir(folder)).filter((name) => name.endsWith('.partial'))).toHaveLength(1);
    requests = [];
    await pull(await library());
    expect(requests).toHaveLength(2);
    expect((await readFile(destination)).equals(data)).toBe(true);
    expect(await readdir(folder)).toEqual(['image.sif']);
  });

  it('begins anew when what was left is damaged', async () => {
    const stop = new AbortController();
    const client = await library((_, response, count) => {
      if (count !== 2) return false;
      stop.abort(new Error('interrupted'));
      response.destroy();
      return true;
    });
    await expect(pull(client, { connections: 1, signal: stop.signal })).rejects.toThrow('interrupted');
    const [left = ''] = (await readdir(folder)).filter((name) => name.endsWith('.partial'));
    await writeFile(join(folder, left), Buffer.alloc(TRANSFER.range), { flag: 'r+' });
    await pull(await library());
    expect((await readFile(destination)).equals(data)).toBe(true);
  });

  it('does not replace a file unless it is told to', async () => {
    await writeFile(destination, 'precious');
    const client = await library();
    await expect(pull(client)).rejects.toMatchObject({ reason: 'exists' });
    expect(requests).toEqual([]);
    await pull(client, { overwrite: true });
    expect((await readFile(destination)).equals(data)).toBe(true);
  });
});

describe('persist', () => {
  it('gives up after so many attempts without progress, and at once on what waiting does not change', async () => {
    const { DomainError } = await import('#libs/core');
    let attempts = 0;
    const away = () => {
      attempts += 1;
      return Promise.reject(new DomainError('unavailable', 'away'));
    };
    await expect(persist(away, { attempts: 3, backoff: 1 })).rejects.toThrow('away');
    expect(attempts).toBe(3);
    attempts = 0;
    const refuse = () => {
      attempts += 1;
      return Promise.reject(new DomainError('forbidden', 'no'));
    };
    await expect(persist(refuse, { attempts: 3, backoff: 1 })).rejects.toThrow('no');
    expect(attempts).toBe(1);
  });
});
