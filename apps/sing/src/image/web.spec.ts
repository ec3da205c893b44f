import { createHash } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sendRange } from '../../../../test/support/fake-registry.js';
import { SIF_FIXTURES } from '../../../../test/support/sif-fixtures.js';
import { World } from '../testing/world.js';

let world: World;
let content: Buffer;
let base: string;
let url: string;
let requests: {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}[];
/** Headers that the server adds: what it says of versions. */
let version: Record<string, string>;
/** May answer instead, and says so. */
let before: (request: IncomingMessage, response: ServerResponse) => boolean;
beforeEach(async () => {
  world = await World.create();
  content = await readFile(join(SIF_FIXTURES, 'images/unsigned.sif'));
  requests = [];
  version = { etag: '"v1"' };
  before = () => false;
  base = await world.serve((request, response) => {
    const { method = '', headers } = request;
    requests.push({ method, url: request.url ?? '', headers });
    if (before(request, response)) return undefined;
    const same =
      headers['if-none-match'] === undefined
        ? version['last-modified'] !== undefined && headers['if-modified-since'] === version['last-modified']
        : headers['if-none-match'] === version['etag'];
    if (same) return response.writeHead(304, version).end();
    // A part of another version than the one that is known is no use.
    const condition = headers['if-range'];
    if (condition !== undefined && condition !== version['etag'] && condition !== version['last-modified'])
      return response.writeHead(200, { ...version, 'content-length': content.length }).end(content);
    return sendRange(request, response, content, version);
  });
  url = `${base}/images/hello.sif`;
});
afterEach(() => world.close());

const same = async (name: string) => (await readFile(world.path(name))).equals(content);
/** Requests for more than the beginning. */
const fetches = () => requests.filter(({ headers }) => headers.range !== 'bytes=0-127');
const cached = () => readdir(world.path('.singularity/cache/net'));
const change = () => {
  content = Buffer.concat([content, Buffer.from('changed')]);
};

describe('an image on a web server', () => {
  it('is pulled to its own name, and its hash is told', async () => {
    const { stdout, stderr } = await world.ok(['pull', '--json', `${url}?key=1#part`]);
    const hash = `sha256.${createHash('sha256').update(content).digest('hex')}`;
    expect(JSON.parse(stdout)).toMatchObject({
      images: [{ path: world.path('hello.sif'), hash, size: content.length, arch: 'amd64', cached: false }],
    });
    expect(await same('hello.sif')).toBe(true);
    expect((await stat(world.path('hello.sif'))).mode & 0o777).toBe(0o777 & ~process.umask());
    expect(stderr).toContain('sends without encryption');
    expect(stderr).not.toContain('key=1');
    expect(requests[0]?.url).toBe('/images/hello.sif?key=1');
  });

  it.each([
    ['/', 'image.sif'],
    ['/.hidden', 'image.sif'],
    ['/a%2fb', 'image.sif'],
    ['/a.img', 'a.img'],
  ])('%s is pulled to %s', async (path, name) => {
    await world.ok(['pull', base + path]);
    expect(await same(name)).toBe(true);
  });

  it('is taken from the cache while the server has the same, by its entity tag', async () => {
    await world.ok(['pull', 'a.sif', url]);
    expect(fetches()).toHaveLength(1);
    const again = await world.ok(['pull', '--json', 'b.sif', url]);
    expect(JSON.parse(again.stdout)).toMatchObject({ images: [{ cached: true }] });
    expect(fetches()).toHaveLength(1);
    expect(requests.at(-1)?.headers['if-none-match']).toBe('"v1"');
    expect(await same('b.sif')).toBe(true);
    await world.ok(['pull', 'c.sif', `${url}#part`]);
    expect(fetches()).toHaveLength(1);
  });

  it.each([
    [
      'a date',
      { 'last-modified': 'Wed, 25 Nov 2026 08:00:00 GMT' },
      { 'last-modified': 'Wed, 25 Nov 2026 09:00:00 GMT' },
    ],
    ['a weak tag', { etag: 'W/"1"' }, { etag: 'W/"2"' }],
  ])('the same by %s, and fetched again when that is another', async (_, one, two) => {
    version = one;
    await world.ok(['pull', 'a.sif', url]);
    await world.ok(['pull', 'b.sif', url]);
    expect(fetches()).toHaveLength(1);
    version = two;
    change();
    await world.ok(['pull', 'c.sif', url]);
    expect(await same('c.sif')).toBe(true);
    expect(await cached()).toHaveLength(1);
  });

  it('is fetched each time from a server that says nothing about versions, with one request', async () => {
    version = {};
    await world.ok(['pull', 'a.sif', url]);
    change();
    await world.ok(['pull', 'b.sif', url]);
    expect(await same('b.sif')).toBe(true);
    expect(fetches().map(({ headers }) => headers.range)).toEqual([undefined, undefined]);
  });

  it.each([
    ['says nothing about versions', {}],
    // Within this second it may change once more. Both are said here: by its own clock the server would be a second further now and then.
    [
      'says a date that is now',
      { 'last-modified': 'Wed, 25 Nov 2026 08:00:00 GMT', date: 'Wed, 25 Nov 2026 08:00:00 GMT' },
    ],
  ])('is begun anew after a broken connection to a server that %s', async (_, saying) => {
    content = Buffer.concat([content, Buffer.alloc(8 * 1024 * 1024, 'x')]);
    version = saying;
    const old = content;
    let broken = false;
    before = (request, response) => {
      if (request.headers.range !== undefined || broken) return false;
      broken = true;
      response.writeHead(200, { ...version, 'content-length': old.length });
      response.write(old.subarray(0, 3_000_000), () => response.destroy());
      content = Buffer.from(old).fill('y', 100_000);
      return true;
    };
    await world.ok(['pull', 'a.sif', url]);
    expect(await same('a.sif')).toBe(true);
    expect(fetches().map(({ headers }) => headers.range)).toEqual([undefined, undefined]);
  });

  it('is fetched again when what the cache has was damaged, removed or is not wanted', async () => {
    await world.ok(['pull', 'a.sif', url]);
    const [name = ''] = await cached();
    await appendFile(world.path('.singularity/cache/net', name), 'x');
    await world.ok(['pull', 'b.sif', url]);
    expect(await same('b.sif')).toBe(true);
    await rm(world.path('.singularity/cache/net', name));
    await world.ok(['pull', 'c.sif', url]);
    await world.ok(['pull', '--disable-cache', 'd.sif', url]);
    expect(await same('d.sif')).toBe(true);
    expect(requests.filter(({ headers }) => headers['if-none-match'] !== undefined)).toEqual([]);
    await world.ok(['pull', 'e.sif', url]);
    expect(requests.at(-1)?.headers['if-none-match']).toBe('"v1"');
  });

  it('is known under its whole address, which is written nowhere', async () => {
    await world.ok(['pull', 'a.sif', `${url}?secret=1`]);
    await world.ok(['pull', 'b.sif', `${url}?secret=2`]);
    const names = await cached();
    expect(names).toHaveLength(2);
    for (const name of names)
      expect(await readFile(world.path('.singularity/cache/verified', `net-${name}`), 'utf8')).not.toContain(
        'secret',
      );
    await world.ok(['cache', 'clean', '--force', '--type', 'net']);
    expect(await cached()).toEqual([]);
    expect(await readdir(world.path('.singularity/cache/verified'))).toEqual([]);
  });

  it('goes on where an interrupted pull has left it, and begins anew when the server has another one', async () => {
    content = Buffer.concat([content, Buffer.alloc(30 * 1024 * 1024, 'x')]);
    /** Breaks after some bytes of each answer, for good. */
    const broken = (request: IncomingMessage, response: ServerResponse): boolean => {
      if (request.headers.range === 'bytes=0-127') return false;
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1]);
      if (start > 0) return (response.writeHead(403).end(), true);
      response.writeHead(206, {
        ...version,
        'content-range': `bytes 0-${16 * 1024 * 1024 - 1}/${content.length}`,
        'content-length': 16 * 1024 * 1024,
      });
      response.write(content.subarray(0, 8_000_000), () => response.destroy());
      return true;
    };
    before = broken;
    const first = await world.run(['pull', '--disable-cache', 'a.sif', url]);
    expect(first.stderr).toContain('the same command goes on from there');
    before = () => false;
    requests.length = 0;
    await world.ok(['pull', '--disable-cache', 'a.sif', url]);
    expect(await same('a.sif')).toBe(true);
    expect(fetches().map(({ headers }) => headers.range)).not.toContainEqual(
      expect.stringMatching(/^bytes=0-/),
    );
    before = broken;
    await world.run(['pull', '--disable-cache', 'b.sif', url]);
    before = () => false;
    version = { etag: '"v2"' };
    change();
    await world.ok(['pull', '--disable-cache', 'b.sif', url]);
    expect(await same('b.sif')).toBe(true);
    // What this process itself has left of the version before is nobody's to remove as long as it lives.
    expect((await readdir(world.folder)).filter((name) => name.startsWith('.a.sif'))).toEqual([]);
  });

  it('that changes while it is pulled is not put together from two', async () => {
    content = Buffer.concat([content, Buffer.alloc(30 * 1024 * 1024, 'x')]);
    let count = 0;
    before = (request) => {
      if (request.headers.range !== 'bytes=0-127' && (count += 1) === 2) version = { etag: '"v2"' };
      return false;
    };
    const { status, stderr } = await world.run(['pull', 'a.sif', url]);
    expect([status, stderr]).toEqual([
      255,
      expect.stringContaining('changed on the server while it was pulled'),
    ]);
    expect(await readdir(world.folder)).not.toContain('a.sif');
    expect(await cached()).toEqual([]);
    await world.ok(['pull', 'a.sif', url]);
    expect(await same('a.sif')).toBe(true);
  });

  it('comes also from a server that knows neither ranges nor its length', async () => {
    before = (_, response) => {
      response.write(content.subarray(0, 1000));
      response.end(content.subarray(1000));
      return true;
    };
    await world.ok(['pull', 'a.sif', url]);
    expect(await same('a.sif')).toBe(true);
  });

  it('is followed to where the server redirects to', async () => {
    const other = await world.serve((request, response) => sendRange(request, response, content, version));
    before = (_, response) => {
      response.writeHead(302, { location: `${other}/x` }).end();
      return true;
    };
    await world.ok(['pull', 'a.sif', url]);
    expect(await same('a.sif')).toBe(true);
  });

  it('is not followed round and round', async () => {
    before = (request, response) => {
      response.writeHead(302, { location: `${request.url}x` }).end();
      return true;
    };
    expect((await world.run(['pull', 'a.sif', url])).stderr).toContain('redirects without end');
    expect(requests.length).toBeLessThan(15);
  });
});

describe('what is no image', () => {
  const attempt = async () => {
    const { status, stderr } = await world.run(['pull', 'a.sif', url]);
    const kept = (await readdir(world.folder)).includes('a.sif');
    return { status, stderr, kept, fetched: fetches().length };
  };
  const refused = (message: string) => ({
    status: 255,
    stderr: expect.stringContaining(message) as string,
    kept: false,
    fetched: 0,
  });

  it('is refused by its beginning: a web page', async () => {
    content = Buffer.from(`<!DOCTYPE html>${' '.repeat(500)}`);
    version = { 'content-type': 'text/html; charset=utf-8' };
    expect(await attempt()).toEqual(refused('is a web page and no SIF image'));
  });

  it.each([
    ['nothing', ''],
    ['a few bytes', 'x'],
    ['another file', 'x'.repeat(5000)],
  ])('is refused by its beginning: %s', async (_, text) => {
    content = Buffer.from(text);
    expect(await attempt()).toEqual(refused('is no SIF image'));
  });

  it('is refused when it is shorter or longer than the image in it', async () => {
    const whole = content;
    content = whole.subarray(0, whole.length - 1);
    expect(await attempt()).toEqual(refused('does not fit'));
    content = whole;
    before = (_, response) => {
      response.writeHead(206, { 'content-range': `bytes 0-127/${2 ** 40}` }).end(content.subarray(0, 128));
      return true;
    };
    expect(await attempt()).toEqual(refused('does not fit'));
  });

  it('is refused when its own header is a lie', async () => {
    content = Buffer.from(content);
    content.writeBigInt64LE(2n ** 62n, 120);
    expect(await attempt()).toEqual(refused('is no SIF image'));
  });

  it.each([
    [404, 'There is nothing at'],
    [410, 'There is nothing at'],
    [401, 'does not give /images/hello.sif to everybody'],
    [403, 'does not give /images/hello.sif to everybody'],
  ])('is refused when the server says %i', async (status, message) => {
    before = (_, response) => {
      response.writeHead(status).end('<html>');
      return true;
    };
    expect(await attempt()).toEqual(refused(message));
  });

  it('is refused when something else comes than what was asked about', async () => {
    version = {};
    before = (request, response) => {
      if (request.headers.range !== undefined) return false;
      response.writeHead(200, { 'content-length': content.length }).end(Buffer.alloc(content.length, 'x'));
      return true;
    };
    const { status, stderr } = await world.run(['pull', 'a.sif', url]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('invalid SIF magic')]);
    expect(await readdir(world.folder)).not.toContain('a.sif');
    expect(await cached()).toEqual([]);
  });

  it('is refused when the server says that nothing has changed, and nobody asked', async () => {
    before = (_, response) => {
      response.writeHead(304).end();
      return true;
    };
    expect(await attempt()).toEqual(refused('was not asked that'));
  });
});

describe('an address', () => {
  it('with a password in it is refused, and not shown', async () => {
    const { status, stderr } = await world.run(['pull', 'a.sif', url.replace('://', '://ann:secret@')]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('has a password in it')]);
    expect(stderr).not.toContain('secret');
    expect(requests).toEqual([]);
  });

  it('that is none is refused', async () => {
    expect((await world.run(['pull', 'a.sif', 'https://'])).status).toBe(255);
  });

  it('gets no token of a remote', async () => {
    const site = await world.site((_, response) => response.writeHead(404).end());
    await world.instance({ url: site, token: 'TOKEN' });
    await world.ok(['pull', 'a.sif', url]);
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(requests.map(() => undefined));
  });

  it('is not asked where the file is there already', async () => {
    await mkdir(world.path('images'));
    await writeFile(world.path('hello.sif'), 'precious');
    expect((await world.run(['pull', url])).stderr).toContain('already exists');
    expect(requests).toEqual([]);
  });
});
