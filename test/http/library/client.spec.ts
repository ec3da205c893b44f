import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BlobStore } from '#libs/blobs';
import { HttpClient, LibraryClient, pullImage, pushImage } from '#libs/client';
import { parsePushReference } from '#libs/core';
import { temporaryFolder } from '../../support/temporary.js';
import { requireNothingWrong } from './checked.js';
import { hashOf, startLibrary, testImage, type World } from './world.js';

describe('the library client against the library', () => {
  let world: World;
  let client: LibraryClient;
  let folder: { path: string; remove: () => Promise<void> };
  const clientOf = (token: string | undefined) =>
    new LibraryClient(
      new HttpClient({
        baseUrl: world.app.url,
        ca: world.app.ca,
        userAgent: 'sing/test',
        ...(token === undefined ? {} : { token }),
      }),
    );

  beforeAll(async () => {
    world = await startLibrary();
    folder = await temporaryFolder();
    client = clientOf(world.tester.token);
  });
  afterAll(async () => {
    await client.http.close();
    await requireNothingWrong(world);
    await world.stop();
    await folder.remove();
  });

  const fileOf = async (bytes: Buffer): Promise<string> => {
    const path = join(folder.path, `${randomBytes(6).toString('hex')}.sif`);
    await writeFile(path, bytes);
    return path;
  };
  const push = async (reference: string, bytes: Buffer, more: object = {}) =>
    pushImage(client, {
      ...parsePushReference(reference),
      file: await fileOf(bytes),
      arch: 'amd64',
      ...more,
    });

  it('pushes what is missing, sets the tags and pulls the same bytes', async () => {
    const bytes = await testImage({ size: 3_000_000 });
    const progress: string[] = [];
    const pushed = await push('library://tester/client/small:1,latest', bytes, {
      onProgress: ({ phase, done, total }: { phase: string; done: number; total: number }) =>
        progress.push(`${phase} ${done === total}`),
    });
    expect(pushed).toMatchObject({ digest: hashOf(bytes), size: bytes.length, uploaded: true });
    expect(pushed.completion?.containerUrl).toBe('library/tester/client/small');
    expect(progress).toContain('hashing true');
    expect(progress).toContain('sending true');
    const anonymous = clientOf(undefined);
    const image = await anonymous.image({ path: 'tester/client/small', tag: '1', arch: 'amd64' });
    const destination = join(folder.path, 'small.sif');
    await pullImage(anonymous, { image, path: 'tester/client/small', destination });
    expect((await readFile(destination)).equals(bytes)).toBe(true);
    await anonymous.http.close();
  });

  it('sends nothing that the library has', async () => {
    const bytes = await testImage();
    await push('library://tester/client/twice:1', bytes);
    expect(await push('library://tester/client/twice:2', bytes)).toMatchObject({
      uploaded: false,
      completion: undefined,
    });
    const container = await client.findContainer('tester/client/twice');
    expect(Object.keys(container?.archTags['amd64'] ?? {})).toEqual(['1', '2']);
  });

  it('sends a large file in parts, and goes on where a broken push ended', async () => {
    const bytes = Buffer.concat([await testImage(), randomBytes(150 * 1024 * 1024)]);
    const file = await fileOf(bytes);
    const reference = parsePushReference('library://tester/client/large:1');
    const stop = new AbortController();
    await expect(
      pushImage(client, {
        ...reference,
        file,
        arch: 'amd64',
        signal: stop.signal,
        onProgress: ({ phase, done }) => {
          if (phase === 'sending' && done > 100 * 1024 * 1024) stop.abort(new Error('interrupted'));
        },
      }),
    ).rejects.toThrow('interrupted');
    let least = Infinity;
    const pushed = await pushImage(client, {
      ...reference,
      file,
      arch: 'amd64',
      onProgress: ({ phase, done }) => {
        if (phase === 'sending') least = Math.min(least, done);
      },
    });
    expect(pushed.uploaded).toBe(true);
    expect(least).toBeGreaterThan(64 * 1024 * 1024);
    const image = await client.image({ path: 'tester/client/large', tag: '1' });
    const destination = join(folder.path, 'large.sif');
    await pullImage(client, { image, path: 'tester/client/large', destination });
    expect(hashOf(await readFile(destination))).toBe(hashOf(bytes));
    expect(await world.temporaries()).toEqual([]);
  });

  it('repeats a part whose connection breaks', async () => {
    const bytes = await testImage({ size: 2_000_000 });
    const cut = once(world.app.server.http, 'secureConnection').then(() => undefined);
    const store = world.app.get(BlobStore);
    const upload = store.upload.bind(store);
    let broken = false;
    // The disk fails for a moment: the server answers with an error in the middle of the body.
    store.upload = (shape) => {
      const made = upload(shape);
      if (broken) return made;
      broken = true;
      const beginPart = made.beginPart.bind(made);
      made.beginPart = async (number) => {
        made.beginPart = beginPart;
        world.app.server.http.closeAllConnections();
        return beginPart(number);
      };
      return made;
    };
    const retries: string[] = [];
    const pushed = await push('library://tester/client/broken:1', bytes, {
      onRetry: (error: Error) => retries.push(error.message),
    });
    store.upload = upload;
    await cut;
    expect(pushed.uploaded).toBe(true);
    expect(retries).toHaveLength(1);
  });

  it('says what is wrong', async () => {
    await expect(
      client.image({ path: 'tester/client/nothing', tag: '1', arch: 'arm64' }),
    ).rejects.toMatchObject({
      code: 'not_found',
      reason: 'image_not_found',
      message: 'The image tester/client/nothing:1 does not exist in the library for arm64',
    });
    await expect(push('library://other/c/n:1', await testImage())).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(
      pushImage(client, { ...parsePushReference('tester/c/n'), file: '/nothing', arch: 'amd64' }),
    ).rejects.toMatchObject({
      reason: 'file_unreadable',
    });
  });

  it('84: takes no bytes but those whose hash the library named', async () => {
    const [bytes, others] = [await testImage(), await testImage()];
    await push('library://tester/client/swapped:1', bytes);
    const file = join(
      world.app.home,
      'data/library/blobs/sha256',
      hashOf(bytes).slice(7, 9),
      hashOf(bytes).slice(7),
    );
    await chmod(file, 0o600);
    await writeFile(file, others);
    const destination = join(folder.path, 'swapped.sif');
    const path = 'tester/client/swapped';
    const image = await client.image({ path, tag: '1', arch: 'amd64' });
    await expect(pullImage(client, { image, path, destination })).rejects.toMatchObject({
      reason: 'wrong_digest',
    });
    await expect(readFile(destination)).rejects.toMatchObject({ code: 'ENOENT' });
    await writeFile(file, bytes);
    await pullImage(client, { image, path, destination });
    expect(hashOf(await readFile(destination))).toBe(hashOf(bytes));
  });

  it('searches and deletes', async () => {
    const bytes = await testImage();
    await push('library://tester/client/sought:1', bytes);
    const found = await client.search('sought', { arch: 'amd64' });
    expect(found.image.map(({ containerName, tags }) => [containerName, tags])).toEqual([['sought', ['1']]]);
    expect([found.more, found.cut, found.next]).toEqual([false, false, undefined]);
    expect((await client.search('sought', { entity: 'other', private: false })).image).toEqual([]);
    expect((await client.search('', { signer: 'AB12'.repeat(10) })).image).toEqual([]);
    await client.delete({ path: 'tester/client/sought', tag: '1', arch: 'amd64' });
    expect(await client.findImage({ path: 'tester/client/sought', tag: '1', arch: 'amd64' })).toBeUndefined();
  });

  it('leaves no file of its own behind', async () => {
    const left = (await readdir(folder.path)).filter((name) => name.startsWith('.'));
    expect(left).toEqual([]);
    await rm(join(folder.path, 'large.sif'), { force: true });
  });
});
