import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noPrompts } from '#libs/cli';
import { SIF_FIXTURES } from '../../../../test/support/sif-fixtures.js';
import { TinyLibrary } from '../testing/tiny-library.js';
import { World } from '../testing/world.js';

let world: World;
let library: TinyLibrary;
let content: Buffer;
let site: string;
beforeEach(async () => {
  world = await World.create();
  content = await readFile(join(SIF_FIXTURES, 'images/unsigned.sif'));
  await writeFile(world.path('unsigned.sif'), content);
  library = new TinyLibrary(content);
  site = await world.site(library.handler);
  await world.instance({ url: site, token: 'TOKEN' });
});
afterEach(() => world.close());

const IMAGE = 'library://demo/col/hello:1';

describe('pull', () => {
  it('makes the whole file, executable, and says that nobody signed it', async () => {
    const { stderr } = await world.ok(['pull', 'image.sif', IMAGE]);
    expect((await readFile(world.path('image.sif'))).equals(content)).toBe(true);
    expect((await stat(world.path('image.sif'))).mode & 0o777).toBe(0o777 & ~process.umask());
    expect(stderr).toContain('WARNING: The image is not verified: signature not found for object group 1');
  });

  it('names the file after container and tag, in the folder that was asked for', async () => {
    await world.ok(['pull', '--dir', world.folder, IMAGE]);
    expect(await readdir(world.folder)).toContain('hello_1.sif');
  });

  it('never replaces a file without --force, and asks nobody before it knows', async () => {
    await writeFile(world.path('image.sif'), 'precious');
    const { status, stderr } = await world.run(['pull', 'image.sif', IMAGE]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('already exists')]);
    expect(library.requests).toEqual([]);
    await world.ok(['pull', '--force', 'image.sif', IMAGE]);
    expect((await readFile(world.path('image.sif'))).equals(content)).toBe(true);
  });

  it('takes from the cache what was fetched before', async () => {
    await world.ok(['pull', 'a.sif', IMAGE]);
    await world.ok(['pull', 'b.sif', IMAGE]);
    expect(library.requested('/v1/imagefile/')).toBe(1);
    await world.ok(['pull', '--disable-cache', 'c.sif', IMAGE]);
    expect(library.requested('/v1/imagefile/')).toBe(2);
    expect((await readFile(world.path('c.sif'))).equals(content)).toBe(true);
  });

  it('asks for the architecture of this machine, or the one that was named', async () => {
    await world.ok(['pull', 'a.sif', IMAGE]);
    await world.ok(['pull', '--arch', 'riscv64', 'b.sif', IMAGE]);
    expect(library.requested('/v1/images/demo/col/hello:1?arch=riscv64')).toBe(1);
  });

  it('asks by the hash that was named, and names the file after it', async () => {
    await world.ok(['pull', `library://demo/col/hello:${library.digest}`]);
    expect(library.requested(`GET /v1/images/demo/col/hello:${library.digest}`)).toBe(1);
    expect((await readFile(world.path(`hello_${library.digest}.sif`))).equals(content)).toBe(true);
  });

  it('asks for the bytes by their hash and with the token, whatever becomes of the tag', async () => {
    await world.ok(['pull', 'a.sif', IMAGE]);
    expect(library.requests).toContain(`GET /v1/imagefile/demo/col/hello:${library.digest} Bearer TOKEN`);
  });

  it('leaves nothing of an image that the library does not have', async () => {
    const { status, stderr } = await world.run(['pull', 'image.sif', 'library://demo/col/missing:1']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('does not exist in the library')]);
    expect(await readdir(world.folder)).not.toContain('image.sif');
  });

  it('refuses content that is not what the library says, and keeps no file', async () => {
    const lying = new TinyLibrary(Buffer.concat([content, Buffer.from('x')]));
    const other = await world.site((request, response) =>
      request.url?.includes('/v1/imagefile/') === true
        ? lying.handler(request, response)
        : library.handler(request, response),
    );
    await world.instance({ url: other, token: 'TOKEN' });
    const { status } = await world.run(['pull', '--disable-cache', 'image.sif', IMAGE]);
    expect(status).toBe(255);
    expect(await readdir(world.folder)).not.toContain('image.sif');
  });

  it.each([
    ['./alpine', 'Expected library://…, oras://… or https://…'],
    ['library://a/b/c/d/e', 'Expected'],
  ])('of %s is refused with a sentence', async (reference, message) => {
    const { status, stderr } = await world.run(['pull', 'image.sif', reference]);
    expect([status, stderr]).toEqual([255, expect.stringContaining(message)]);
  });
});

describe('a reference without a word in front', () => {
  it('means the library, where no file can be meant', async () => {
    await world.ok(['pull', 'a.sif', 'demo/col/hello:1']);
    expect((await readFile(world.path('a.sif'))).equals(content)).toBe(true);
    await world.ok(['delete', '-F', '--arch', 'amd64', 'demo/col/hello:1']);
    expect(library.requests).toContain('DELETE /v1/images/demo/col/hello:1?arch=amd64 Bearer TOKEN');
  });
});

describe('a folder that is not there', () => {
  it('is named before anything is asked for', async () => {
    const { status, stderr } = await world.run(['pull', '--dir', 'none', IMAGE]);
    expect([status, stderr]).toEqual([
      255,
      expect.stringContaining(`There is no folder ${world.path('none')}`),
    ]);
    expect(library.requests).toEqual([]);
  });
});

describe('a library that is named', () => {
  it('by --library or by a host gets no token, and is the one that is asked', async () => {
    const other = new TinyLibrary(content);
    const address = await world.serve(other.handler);
    await world.ok(['pull', '--library', address, 'a.sif', IMAGE]);
    const { host } = new URL(address);
    await world.ok(['pull', '--no-https', 'b.sif', `library://${host}/demo/col/hello:1`]);
    expect(other.requested('/v1/images/')).toBe(2);
    expect(other.requested('TOKEN')).toBe(0);
    expect(library.requested('/v1/images/')).toBe(0);
  });

  it('that is the own one gets the token', async () => {
    await world.ok(['pull', '--library', site, 'a.sif', IMAGE]);
    expect(library.requested('Bearer TOKEN')).toBeGreaterThan(0);
  });

  it('needs no remote', async () => {
    world.env['SCS_HOME'] = world.path('none');
    const address = await world.serve(new TinyLibrary(content).handler);
    await world.ok(['pull', '--library', address, 'a.sif', IMAGE]);
    expect((await readFile(world.path('a.sif'))).equals(content)).toBe(true);
  });
});

describe('push', () => {
  const TARGET = 'library://demo/new/image:1,latest';

  it('needs a signature, unless told otherwise', async () => {
    const refused = await world.run(['push', 'unsigned.sif', TARGET]);
    expect(refused.status).toBe(255);
    expect(refused.stderr).toContain('Unable to upload container: unable to verify signature');
    expect(refused.stderr).toContain('sing sign FILE');
    expect(library.uploads).toEqual([]);
    const { stdout } = await world.ok(['push', '-U', 'unsigned.sif', TARGET]);
    expect(library.uploads.map((body) => body.equals(content))).toEqual([true]);
    expect(library.tags).toMatchObject([
      { Tag: '1', Arch: 'amd64' },
      { Tag: 'latest', Arch: 'amd64' },
    ]);
    expect(stdout).toContain('Library storage: using 2.0 KiB out of unlimited quota');
    expect(stdout).toContain(`Container URL: ${site}/library/demo/col/new`);
  });

  it('sends the bytes without the token, to where the library wants them', async () => {
    await world.ok(['push', '-U', 'unsigned.sif', TARGET]);
    expect(library.requests).toContain('PUT /upload?key=1');
  });

  it('needs a token', async () => {
    world.env['SCS_HOME'] = world.path('none');
    await world.ok(['remote', 'add', '-i', '--no-login', 'lab', site]);
    const { status, stderr } = await world.run(['push', '-U', 'unsigned.sif', TARGET]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('sing remote login lab')]);
    expect(library.requests).toEqual([]);
  });

  it.each(['library://demo/Upper/image:1', 'library://demo/image', 'image', 'library://a/b/c:sha256.0'])(
    'refuses the place %s',
    async (place) => {
      expect((await world.run(['push', '-U', 'unsigned.sif', place])).status).toBe(255);
      expect(library.requests).toEqual([]);
    },
  );

  it('refuses what is no image before anything is sent', async () => {
    await writeFile(world.path('junk'), 'x'.repeat(5000));
    expect((await world.run(['push', '-U', 'junk', TARGET])).stderr).toContain('invalid SIF magic');
  });
});

describe('delete', () => {
  it('asks, unless told otherwise', async () => {
    expect((await world.run(['delete', IMAGE])).stderr).toContain('Answer with --force');
    const no = { ...noPrompts, confirm: () => Promise.resolve(false) };
    expect((await world.ok(['delete', IMAGE], { prompts: no })).stderr).toContain('Nothing was deleted.');
    expect(library.requested('DELETE')).toBe(0);
    await world.ok(['delete', '--force', '--arch', 'arm64', IMAGE]);
    expect(library.requests).toContain('DELETE /v1/images/demo/col/hello:1?arch=arm64 Bearer TOKEN');
  });

  it('is for images of a library', async () => {
    for (const place of ['./hello.sif', 'oras://r.example.org/hello'])
      expect((await world.run(['delete', '-F', place])).status).toBe(255);
    expect(library.requests).toEqual([]);
  });
});

describe('search', () => {
  it('shows images, without their control characters', async () => {
    const { stdout } = await world.ok(['search', 'hello']);
    expect(stdout).toContain('    library://demo/col/hello:1,latest\n');
    expect(stdout).toContain('a \\x1b[31mred image');
    const json = await world.ok(['search', '--json', '--signed', 'hello']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      images: [{ reference: 'library://demo/col/hello:1,latest', hash: library.digest }],
    });
    expect(library.requested('signed=true')).toBe(1);
  });

  it('says when the library has more than it tells', async () => {
    expect((await world.ok(['search', 'hello'])).stderr).toBe('');
    library.more = true;
    expect((await world.ok(['search', 'hello'])).stderr).toContain('The library has more than it tells');
    expect(JSON.parse((await world.ok(['search', '-j', 'hello'])).stdout)).toMatchObject({ more: true });
  });

  it('asks for the first page with something in it, or for all of them', async () => {
    library.pages = [0, 2, 1];
    library.more = true;
    const countOf = async (...flags: string[]) => {
      const { stdout } = await world.ok(['search', '--json', ...flags, 'hello']);
      return (JSON.parse(stdout) as { images: unknown[] }).images.length;
    };
    expect([await countOf(), await countOf('--all')]).toEqual([2, 3]);
    expect(library.requested('/v1/search')).toBe(2 + 3);
  });

  it('asks for what a key has signed, in an entity, or what is private, without a text too', async () => {
    await world.ok(['search', '--signer', 'ABCD1234', '--entity', 'demo', '--private', 'hello']);
    expect(library.requested('signer=ABCD1234')).toBe(1);
    expect(library.requests.at(-1)).toMatch(/[?&]value=hello&.*entity=demo.*private=true/);
    const { stdout } = await world.ok(['search', '--signer', 'ABCD1234']);
    expect(stdout).toContain('signed by ABCD1234');
    expect(library.requests.at(-1)).not.toContain('value=');
  });

  it('wants three characters', async () => {
    const { status, stderr } = await world.run(['search', 'ab']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('3 characters or more')]);
  });
});
