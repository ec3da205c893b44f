import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noPrompts } from '#libs/cli';
import { FakeRegistry, ociDigest, refuse, sendRange } from '../../../../test/support/fake-registry.js';
import { SIF_FIXTURES } from '../../../../test/support/sif-fixtures.js';
import { World } from '../testing/world.js';

let world: World;
let registry: FakeRegistry;
let content: Buffer;
let host: string;
let image: string;
beforeEach(async () => {
  world = await World.create();
  content = await readFile(join(SIF_FIXTURES, 'images/unsigned.sif'));
  registry = new FakeRegistry();
  registry.addSif('group/image', '1', content);
  host = new URL(await world.serve(registry.handler)).host;
  image = `oras://${host}/group/image:1`;
  world.env['SINGULARITY_NOHTTPS'] = 'true';
});
afterEach(() => world.close());

const digestOf = (bytes: Buffer) => `sha256.${createHash('sha256').update(bytes).digest('hex')}`;
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const auths = (entries: Record<string, string>) =>
  JSON.stringify({
    auths: Object.fromEntries(
      Object.entries(entries).map(([name, text]) => [name, { auth: Buffer.from(text).toString('base64') }]),
    ),
  });

describe('pull', () => {
  it('makes the file that the registry has, named after name and tag', async () => {
    const { stderr } = await world.ok(['pull', image]);
    const path = world.path('image_1.sif');
    expect((await readFile(path)).equals(content)).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o777 & ~process.umask());
    expect(stderr).toContain('The image is not verified');
  });

  it('takes from the cache what was fetched before, under whatever name', async () => {
    registry.addSif('other/name', '2', content);
    await world.ok(['pull', 'a.sif', image]);
    const one = await world.ok(['pull', '--json', 'b.sif', `oras://${host}/other/name:2`]);
    expect(JSON.parse(one.stdout)).toMatchObject({
      images: [{ hash: digestOf(content), size: content.length, arch: 'amd64', cached: true }],
    });
    expect(await readdir(world.path('.singularity/cache/oras'))).toEqual([digestOf(content)]);
    await world.ok(['pull', '--disable-cache', 'c.sif', image]);
    expect(registry.lines.filter((line) => line.startsWith('GET') && line.includes('/blobs/'))).toHaveLength(
      2,
    );
  });

  it('asks by the hash that was named', async () => {
    const manifest = registry.manifests.get('group/image:1')?.bytes ?? Buffer.alloc(0);
    await world.ok(['pull', `oras://${host}/group/image@${ociDigest(manifest)}`]);
    expect(await readdir(world.folder)).toContain(`image_sha256.${ociDigest(manifest).slice(7)}.sif`);
  });

  it('goes on where a broken connection has left it, and asks each server for what it is to send only', async () => {
    content = Buffer.concat([content, Buffer.alloc(40 * 1024 * 1024, 'x')]);
    registry.addSif('group/image', '1', content);
    let broken = 0;
    registry.before = (request, response) => {
      if (request.url?.includes('/blobs/') !== true || broken > 0) return false;
      broken += 1;
      response.writeHead(206, {
        'content-range': `bytes 0-${16 * 1024 * 1024 - 1}/${content.length}`,
        'content-length': 16 * 1024 * 1024,
      });
      response.write(content.subarray(0, 3_000_000), () => response.destroy());
      return true;
    };
    await world.ok(['pull', '--disable-cache', 'a.sif', image]);
    expect((await readFile(world.path('a.sif'))).equals(content)).toBe(true);
    const ranges = registry.requests
      .map(({ headers }) => headers.range)
      .filter((range) => range !== undefined);
    expect(ranges).toContainEqual(expect.stringMatching(/^bytes=[1-9]\d*-16777215$/));
  });

  it.each([
    ['other bytes', (bytes: Buffer) => Buffer.alloc(bytes.length, 1), /the hash of the pulled image/],
    [
      'more bytes',
      (bytes: Buffer) => Buffer.concat([bytes, bytes]),
      /longer than it said|range of an answer/,
    ],
    ['fewer bytes', (bytes: Buffer) => bytes.subarray(0, 100), /range of an answer|ended at byte/],
  ])('refuses %s than the manifest names, and keeps no file', async (_, change, message) => {
    registry.blobs.set(ociDigest(content), change(content));
    // At once, and not after all the patience there is.
    registry.before = (request, response) =>
      request.url?.includes('/blobs/') === true &&
      registry.lines.length > 3 &&
      refuse(response, 404, 'BLOB_UNKNOWN', 'gone');
    const { status, stderr } = await world.run(['pull', '--disable-cache', 'a.sif', image]);
    expect([status, stderr]).toEqual([255, expect.stringMatching(message)]);
    expect(await readdir(world.folder)).not.toContain('a.sif');
  });

  it('ends a body that does not end', async () => {
    registry.before = (request, response) => {
      if (request.url?.includes('/blobs/') !== true) return false;
      if (registry.lines.length > 3) return refuse(response, 404, 'BLOB_UNKNOWN', 'gone');
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed) if (!response.write(content)) return void response.once('drain', more);
      };
      more();
      return true;
    };
    const { stderr } = await world.run(['pull', '--disable-cache', 'a.sif', image]);
    expect(stderr).toContain('The answer is longer than it said');
    expect((await readdir(world.folder)).filter((name) => name.endsWith('.sif'))).toEqual([]);
  });

  it('follows the registry to its storage, without the password', async () => {
    await writeFile(world.path('auth.json'), auths({ [host]: 'ann:secret' }));
    const seen: (string | undefined)[] = [];
    const storage = await world.serve((request, response) => {
      seen.push(request.headers.authorization);
      return sendRange(request, response, content);
    });
    registry.before = (request, response) => {
      if (request.headers.authorization !== basic('ann:secret'))
        return refuse(response, 401, 'UNAUTHORIZED', '', { 'www-authenticate': 'Basic realm="x"' });
      if (request.url?.includes('/blobs/') !== true) return false;
      response.writeHead(307, { location: `${storage.replace('127.0.0.1', 'localhost')}/x` }).end();
      return true;
    };
    await world.ok(['pull', '--authfile', 'auth.json', 'a.sif', image]);
    expect((await readFile(world.path('a.sif'))).equals(content)).toBe(true);
    expect(seen).toEqual([undefined]);
  });

  it('never replaces a file without --force', async () => {
    await writeFile(world.path('a.sif'), 'precious');
    expect((await world.run(['pull', 'a.sif', image])).status).toBe(255);
    expect(registry.requests).toEqual([]);
    await world.ok(['pull', '--force', 'a.sif', image]);
    expect((await readFile(world.path('a.sif'))).equals(content)).toBe(true);
  });

  it('warns of another architecture than was asked for', async () => {
    expect((await world.ok(['pull', '--arch', 'arm64', image])).stderr).toContain(
      'The image is for amd64, and not for arm64',
    );
  });

  it('says what to do at a registry without TLS, and tries nothing by itself', async () => {
    delete world.env['SINGULARITY_NOHTTPS'];
    const { status, stderr } = await world.run(['pull', image]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('--no-https')]);
    expect(registry.requests).toEqual([]);
  });
});

describe('push', () => {
  it('puts the image there as it is, signed or not, and says so to programs', async () => {
    await writeFile(world.path('unsigned.sif'), content);
    const { stdout } = await world.ok(['push', '--json', 'unsigned.sif', `oras://${host}/new/image:2`]);
    const manifest = registry.manifests.get('new/image:2')?.bytes ?? Buffer.alloc(0);
    expect(JSON.parse(stdout)).toEqual({
      images: [
        {
          reference: `oras://${host}/new/image:2`,
          path: world.path('unsigned.sif'),
          hash: digestOf(content),
          size: content.length,
          arch: 'amd64',
          tags: ['2'],
          uploaded: false,
          manifest: ociDigest(manifest),
        },
      ],
    });
    await world.ok(['pull', 'back.sif', `oras://${host}/new/image:2`]);
    expect((await readFile(world.path('back.sif'))).equals(content)).toBe(true);
  });

  it('refuses what is no image, and a place without a tag, before anything is sent', async () => {
    await writeFile(world.path('junk'), 'x'.repeat(5000));
    expect((await world.run(['push', 'junk', `oras://${host}/new/image:2`])).stderr).toContain(
      'invalid SIF magic',
    );
    await writeFile(world.path('unsigned.sif'), content);
    const place = `oras://${host}/new/image@${ociDigest(content)}`;
    expect((await world.run(['push', 'unsigned.sif', place])).stderr).toContain('A push needs a tag');
    expect((await world.run(['push', 'unsigned.sif', `https://${host}/x.sif`])).stderr).toContain(
      'Expected library://… or oras://…',
    );
    expect(registry.requests).toEqual([]);
  });
});

describe('who somebody is at a registry', () => {
  const shown = () =>
    registry.requests.map(({ headers }) => headers.authorization).find((value) => value !== undefined);
  beforeEach(() => {
    registry.before = (request, response) =>
      request.headers.authorization === undefined &&
      refuse(response, 401, 'UNAUTHORIZED', '', { 'www-authenticate': 'Basic realm="x"' });
  });
  const ownFile = async (text: string, mode = 0o600) => {
    await mkdir(world.path('.singularity'), { recursive: true, mode: 0o700 });
    await writeFile(world.path('.singularity/docker-config.json'), text, { mode });
  };
  const dockerFile = async (text: string, folder = '.docker') => {
    await mkdir(world.path(folder), { recursive: true });
    await writeFile(world.path(folder, 'config.json'), text);
  };

  it('say flags, before everything else', async () => {
    await ownFile(auths({ [host]: 'own:file' }));
    world.env['SINGULARITY_DOCKER_USERNAME'] = 'env';
    world.env['SINGULARITY_DOCKER_PASSWORD'] = 'env';
    await world.ok(['pull', '--docker-username', 'ann', '--docker-password', 'flag', 'a.sif', image]);
    expect(shown()).toBe(basic('ann:flag'));
  });

  it.each(['SING_', 'SINGULARITY_', 'APPTAINER_', ''])('says the environment: %sDOCKER_…', async (prefix) => {
    await ownFile(auths({ [host]: 'own:file' }));
    world.env[`${prefix}DOCKER_USERNAME`] = 'ann';
    world.env[`${prefix}DOCKER_PASSWORD`] = 'env';
    await world.ok(['pull', 'a.sif', image]);
    expect(shown()).toBe(basic('ann:env'));
  });

  it('asks the person who wants that', async () => {
    const prompts = {
      ...noPrompts,
      text: () => Promise.resolve('ann'),
      password: () => Promise.resolve('typed'),
    };
    await world.ok(['pull', '--docker-login', 'a.sif', image], { prompts });
    expect(shown()).toBe(basic('ann:typed'));
  });

  it('says the file of registry login, then that of docker', async () => {
    await dockerFile(auths({ [host]: 'docker:file' }));
    await world.ok(['pull', 'a.sif', image]);
    expect(shown()).toBe(basic('docker:file'));
    registry.requests.length = 0;
    await ownFile(auths({ [host]: 'own:file' }), 0o644);
    const { stderr } = await world.ok(['pull', 'b.sif', image]);
    expect(shown()).toBe(basic('own:file'));
    expect(stderr).toContain('holds passwords and could be read by others; its mode is 0600 now');
    expect((await stat(world.path('.singularity/docker-config.json'))).mode & 0o777).toBe(0o600);
  });

  it('says the folder that DOCKER_CONFIG names', async () => {
    await dockerFile(auths({ [host]: 'other:folder' }), 'elsewhere');
    world.env['DOCKER_CONFIG'] = world.path('elsewhere');
    await world.ok(['pull', 'a.sif', image]);
    expect(shown()).toBe(basic('other:folder'));
  });

  it('says no other file than the one that was named', async () => {
    await ownFile(auths({ [host]: 'own:file' }));
    await dockerFile(auths({ [host]: 'docker:file' }));
    await writeFile(world.path('auth.json'), auths({ [host]: 'named:file' }));
    world.env['SINGULARITY_AUTHFILE'] = world.path('auth.json');
    await world.ok(['pull', 'a.sif', image]);
    expect(shown()).toBe(basic('named:file'));
    registry.requests.length = 0;
    const { status } = await world.run(['pull', '--authfile', 'none.json', 'b.sif', image]);
    expect([status, shown()]).toEqual([255, undefined]);
  });

  it('says no entry for another registry', async () => {
    await ownFile(auths({ 'ghcr.io': 'own:file', [`${host}/group`]: 'part:file' }));
    const { status, stderr } = await world.run(['pull', 'a.sif', image]);
    expect([status, shown()]).toEqual([255, undefined]);
    expect(stderr).toContain(`sing registry login oras://${host}`);
  });

  it('is asked for in a sentence where only a helper of docker knows', async () => {
    await dockerFile('{"credsStore":"desktop"}');
    const { stderr } = await world.run(['pull', 'a.sif', image]);
    expect(stderr).toContain('Docker keeps its password');
  });

  it('is a sentence when a half of it is missing, or a file is broken', async () => {
    const half = await world.run(['pull', '--docker-username', 'ann', 'a.sif', image]);
    expect([half.status, half.stderr]).toEqual([255, expect.stringContaining('There is a name')]);
    await ownFile('{"auths":{"x":{"auth":"hidden"}');
    const broken = await world.run(['pull', 'a.sif', image]);
    expect([broken.status, broken.stderr]).toEqual([255, expect.stringContaining('docker-config.json')]);
    expect(broken.stderr).not.toContain('hidden');
    // A file of docker's is no reason to fail where nothing of it is needed.
    await ownFile('{}');
    await dockerFile('{');
    expect((await world.run(['pull', 'a.sif', image])).stderr).toContain('WARNING');
  });

  it('is nobody in particular where the registry does not ask', async () => {
    registry.before = () => false;
    await ownFile('{');
    await world.ok(['pull', 'a.sif', image]);
    expect(shown()).toBeUndefined();
  });
});
