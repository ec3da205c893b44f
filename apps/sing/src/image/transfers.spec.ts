import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Interrupted } from '#libs/cli';
import { processName } from '#libs/core';
import { SIF_FIXTURES } from '../../../../test/support/sif-fixtures.js';
import { TinyLibrary } from '../testing/tiny-library.js';
import { World } from '../testing/world.js';

let world: World;
let library: TinyLibrary;
let content: Buffer;
/** May answer instead, and says so. */
let before: (request: IncomingMessage, response: ServerResponse) => boolean;
beforeEach(async () => {
  world = await World.create();
  content = await readFile(join(SIF_FIXTURES, 'images/unsigned.sif'));
  await writeFile(world.path('unsigned.sif'), content);
  library = new TinyLibrary(content);
  before = () => false;
  const site = await world.site((request, response) =>
    before(request, response) ? undefined : library.handler(request, response),
  );
  await world.instance({ url: site, token: 'TOKEN' });
});
afterEach(() => world.close());

const IMAGE = 'library://demo/col/hello:1';

/** Half of what was asked for, and then nothing. */
function half(request: IncomingMessage, response: ServerResponse): void {
  const [, from = '0'] = /^bytes=(\d+)-/.exec(request.headers.range ?? '') ?? [];
  response.writeHead(206, {
    'content-range': `bytes ${from}-${content.length - 1}/${content.length}`,
    'content-length': content.length - Number(from),
  });
  response.write(content.subarray(Number(from), Math.floor((Number(from) + content.length) / 2)));
}
const isFile = (request: IncomingMessage) => request.url?.startsWith('/v1/imagefile/') === true;

describe('a connection that breaks', () => {
  it('is told, with what happens next, and the rest is fetched', async () => {
    let broken = 0;
    before = (request, response) => {
      if (!isFile(request) || broken > 0) return false;
      broken += 1;
      half(request, response);
      setImmediate(() => response.destroy());
      return true;
    };
    const { stderr } = await world.ok(['pull', 'a.sif', IMAGE]);
    expect(stderr).toMatch(/WARNING: .*; trying again in 0\.\d s \(2 of 8\)\n/);
    expect((await readFile(world.path('a.sif'))).equals(content)).toBe(true);
  });
});

describe('Ctrl-C', () => {
  it('leaves what the same pull goes on with, and says so', async () => {
    content = Buffer.concat([content, Buffer.alloc(4 * 1024 * 1024, 'x')]);
    library = new TinyLibrary(content);
    const stop = new AbortController();
    before = (request, response) => {
      if (isFile(request)) half(request, response);
      return isFile(request);
    };
    const partials = async () =>
      (await readdir(world.folder))
        .filter((name) => name.endsWith('.partial'))
        .map((name) => world.path(name));
    const running = world.run(['pull', '--disable-cache', 'a.sif', IMAGE], { signal: stop.signal });
    // The first MiB is written; what has arrived besides is when the pull ends.
    await expect
      .poll(
        async () => {
          const [path] = await partials();
          return path === undefined ? 0 : (await stat(path)).blocks * 512;
        },
        { timeout: 10_000 },
      )
      .toBeGreaterThan(1024 * 1024);
    stop.abort(new Interrupted('SIGINT'));
    const { status, stderr } = await running;
    expect(status).toBe(130);
    expect(stderr).toMatch(/INFO: {4}\d\.\d MiB of 4\.0 MiB are kept: the same command goes on from there\./);
    const ranges: (string | undefined)[] = [];
    before = (request) => {
      if (isFile(request)) ranges.push(request.headers.range);
      return false;
    };
    await world.ok(['pull', '--disable-cache', 'a.sif', IMAGE]);
    expect(ranges).toEqual([expect.stringMatching(/^bytes=[1-9]/)]);
    expect((await readFile(world.path('a.sif'))).equals(content)).toBe(true);
    expect(await partials()).toEqual([]);
  });
});

describe('for programs', () => {
  it('pull says what is where', async () => {
    const one = JSON.parse((await world.ok(['pull', '--json', 'a.sif', IMAGE])).stdout) as object;
    const image = {
      reference: IMAGE,
      path: world.path('a.sif'),
      hash: library.digest,
      size: content.length,
      arch: 'amd64',
      cached: false,
      verified: false,
      signers: [],
    };
    expect(one).toEqual({ images: [image] });
    const two = JSON.parse((await world.ok(['pull', '--json', 'b.sif', IMAGE])).stdout) as object;
    expect(two).toEqual({ images: [{ ...image, path: world.path('b.sif'), cached: true }] });
  });

  it('push says what is where', async () => {
    const words = ['push', '--json', '-U', 'unsigned.sif', 'library://demo/new/image:1,latest'];
    expect(JSON.parse((await world.ok(words)).stdout)).toEqual({
      images: [
        {
          reference: 'library://demo/new/image:1,latest',
          path: world.path('unsigned.sif'),
          hash: library.digest,
          size: content.length,
          arch: 'amd64',
          tags: ['1', 'latest'],
          uploaded: true,
          url: expect.stringMatching(/\/library\/demo\/col\/new$/) as string,
          verified: false,
          signers: [],
        },
      ],
    });
  });

  it('a failure is JSON, too', async () => {
    const { status, stdout, stderr } = await world.run([
      'pull',
      '--json',
      'a.sif',
      'library://demo/col/missing',
    ]);
    expect([status, stdout]).toEqual([255, '']);
    expect(stderr).toContain('{"error":{"code":"not_found","reason":"image_not_found"');
  });
});

describe('connections at once', () => {
  it.each(['0', '33', 'x', '1.5', '-1'])('cannot be %s', async (count) => {
    world.env['SINGULARITY_DOWNLOAD_CONCURRENCY'] = count;
    const { status, stderr } = await world.run(['pull', 'a.sif', IMAGE]);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining(`Expected 1 to 32 for SINGULARITY_DOWNLOAD_CONCURRENCY, got "${count}"`),
    ]);
    expect(library.requested('/v1/imagefile/')).toBe(0);
  });

  it.each([1, 2])('are as many as the environment says: %i', async (count) => {
    content = Buffer.alloc(100 * 1024 * 1024, 'x');
    library = new TinyLibrary(content);
    let [now, most] = [0, 0];
    before = (request, response) => {
      if (!isFile(request)) return false;
      now += 1;
      most = Math.max(most, now);
      response.once('close', () => (now -= 1));
      return false;
    };
    world.env['SING_DOWNLOAD_CONCURRENCY'] = String(count);
    await world.ok(['pull', 'a.sif', IMAGE]);
    expect(most).toBe(count);
  });
});

describe('a disk that is full', () => {
  it('is a sentence with what helps, and nothing half stays', async () => {
    before = (request, response) => {
      if (request.url?.startsWith('/v1/images/') !== true) return false;
      const image = { id: 'x', hash: library.digest, size: 2 ** 52, uploaded: true };
      response.end(JSON.stringify({ data: image }));
      return true;
    };
    const cached = await world.run(['pull', 'a.sif', IMAGE]);
    expect([cached.status, cached.stderr]).toEqual([
      255,
      expect.stringMatching(
        /FATAL: {3}No space left in .*cache\/library for an image of \d+ bytes\n.*sing cache clean/,
      ),
    ]);
    const direct = await world.run(['pull', '--disable-cache', 'a.sif', IMAGE]);
    expect(direct.stderr).toContain(`No space left in ${world.folder} for an image`);
    expect(await readdir(world.path('.singularity/cache/library'))).toEqual([]);
    expect((await readdir(world.folder)).filter((name) => name.includes('a.sif'))).toEqual([]);
  });
});

describe('what interrupted transfers have left in the cache', () => {
  const dead = processName().replace(/\d+$/, '1');
  const leave = async (): Promise<void> => {
    const cache = world.path('.singularity/cache');
    for (const folder of ['library', 'uploads'])
      await mkdir(join(cache, folder), { recursive: true, mode: 0o700 });
    const name = `.${library.digest}.${library.digest.slice(7, 23)}`;
    await writeFile(join(cache, 'library', `${name}.${dead}.partial`), Buffer.alloc(8192, 1));
    await writeFile(join(cache, 'library', `${name}.${processName()}.partial`), 'at work');
    await writeFile(join(cache, 'uploads', `${'0'.repeat(32)}.${dead}.upload`), 'x');
  };
  const left = async () => [
    ...(await readdir(world.path('.singularity/cache/library'))),
    ...(await readdir(world.path('.singularity/cache/uploads'))),
  ];

  it('is listed, and no image', async () => {
    await leave();
    const { stdout } = await world.ok(['cache', 'list']);
    expect(stdout).toContain('There are 0 container file(s)');
    expect(stdout).toContain('Interrupted downloads: 1 using 8.0 KiB');
  });

  it('goes with cache clean, and what somebody is at work with stays', async () => {
    await leave();
    const dry = await world.ok(['cache', 'clean', '--dry-run']);
    expect(dry.stderr).toContain('Would remove what an interrupted download has left (8.0 KiB)');
    expect(await left()).toHaveLength(3);
    await world.ok(['cache', 'clean', '--force', '--days', '1']);
    await world.ok(['cache', 'clean', '--force', '--type', 'oras']);
    expect(await left()).toHaveLength(3);
    const { stderr } = await world.ok(['cache', 'clean', '--force']);
    expect(stderr).toContain('Removed what an interrupted upload has left');
    expect(await left()).toEqual([expect.stringContaining(processName())]);
  });

  it('goes on with the pull of the same image', async () => {
    await leave();
    await world.ok(['pull', 'a.sif', IMAGE]);
    expect((await stat(world.path('.singularity/cache/library', library.digest))).size).toBe(content.length);
  });
});
