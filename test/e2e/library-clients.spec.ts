import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireNothingWrong } from '../http/library/checked.js';
import { startLibrary, testImage, type World } from '../http/library/world.js';
import { apptainerClient, stockClient } from '../support/go-tools.js';
import { lacking, skipped } from '../support/needs.js';
import { type Ended, run } from '../support/run.js';
import { temporaryFolder } from '../support/temporary.js';

/*
 * The call sequences of library contract §6 with the libraries that the stock programs are linked with, as they are, over HTTPS with an
 * authority of its own: push, tag, pull by tag and by hash, search, delete.
 */

const MIB = 1024 * 1024;
/** Up to 64 MiB in one piece, above in parts (library contract §6.1). */
const SIZES: readonly (readonly [string, number])[] = [
  ['64 MiB: the most in one piece', 64 * MIB],
  ['64 MiB and a byte: parts', 64 * MIB + 1],
  ['1 GiB: many parts', 1024 * MIB],
];

const noGo = lacking('go', 'flock');

describe.skipIf(noGo).each([
  { name: 'singularity (scs-library-client 1.4.16)', who: 'singularity', build: stockClient },
  { name: 'apptainer (container-library-client 1.4.14)', who: 'apptainer', build: apptainerClient },
])(`the library client of $name${skipped(noGo)}`, ({ who, build }) => {
  let program: string;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let world: World;
  beforeAll(async () => {
    program = await build();
    folder = await temporaryFolder();
    world = await startLibrary();
    await writeFile(join(folder.path, 'ca.pem'), world.app.ca);
  }, 600_000);
  afterAll(async () => {
    await requireNothingWrong(world);
    await world.stop();
    await folder.remove();
  });

  const path = (name: string) => join(folder.path, name);
  const client = (verb: string, ...words: string[]): Promise<Ended> =>
    run(program, ['library', verb, world.app.url, ...words], {
      cwd: folder.path,
      env: { TOKEN: world.tester.token ?? '', SSL_CERT_FILE: path('ca.pem'), HOME: folder.path },
    });
  const well = async (ended: Promise<Ended>): Promise<string> => {
    const { status, stdout, stderr } = await ended;
    if (status !== 0) throw new Error(`It ended with ${status}: ${stderr}`);
    return stdout;
  };
  /** What has to be refused. */
  const refusal = async (ended: Promise<Ended>): Promise<string> => {
    const { status, stderr } = await ended;
    expect(status).toBe(1);
    return stderr.trim();
  };

  /** A small image with zeros behind it that take no space, and a content of its own at both ends; or only as much of that as there is room for. */
  async function imageFile(size: number): Promise<{ file: string; hash: string }> {
    const file = path(`${who}-${size}`);
    const handle = await open(file, 'w');
    try {
      const image = await testImage();
      if (size > image.length) await handle.write(image, 0, image.length, 0);
      await handle.truncate(size);
      const own = randomBytes(Math.min(16, size));
      await handle.write(own, 0, own.length, size - own.length);
    } finally {
      await handle.close();
    }
    return { file, hash: await hashOfFile(file) };
  }
  async function hashOfFile(file: string): Promise<string> {
    const hash = createHash('sha256');
    await pipeline(createReadStream(file, { highWaterMark: MIB }), hash);
    return `sha256.${hash.digest('hex')}`;
  }

  /** The requests that the library has answered so far, as method and path, without their queries. */
  async function requests(): Promise<string[]> {
    const lines = (await readFile(join(world.app.home, 'log/test.log'), 'utf8')).split('\n').filter(Boolean);
    return lines
      .map((line) => JSON.parse(line) as { msg: string; method: string; url: string })
      .filter(({ msg }) => msg === 'request')
      .map(({ method, url }) => `${method} ${url.replace(/\?.*$/, '')}`)
      .filter((request) => !/healthz|revocations|library\/check/.test(request));
  }
  async function requestsOf(work: () => Promise<unknown>): Promise<string[]> {
    const before = (await requests()).length;
    await work();
    return (await requests()).slice(before);
  }

  it.each(SIZES)(
    '%s',
    async (_, size) => {
      const { file, hash } = await imageFile(size);
      const place = `tester/${who}/of${size}`;
      await well(client('push', file, place, 'amd64', '1,latest'));
      const pulled = path('pulled.sif');
      for (const tag of ['1', hash]) {
        await well(client('pull', pulled, place, 'amd64', tag));
        expect([(await stat(pulled)).size, await hashOfFile(pulled)]).toEqual([size, hash]);
        await rm(pulled);
      }
      const found = JSON.parse(await well(client('search', `of${size}`, 'amd64'))) as {
        image: { hash: string; tags: string[]; containerName: string }[];
      };
      expect(found.image.map((image) => [image.hash, [...image.tags].sort()])).toEqual([
        [hash, ['1', 'latest']],
      ]);
      await well(client('delete', `${place}:1`, 'amd64'));
      expect(await refusal(client('pull', pulled, place, 'amd64', 'latest'))).toContain('not found');
      expect(await world.temporaries()).toEqual([]);
      expect(await world.blobs()).toEqual([]);
      await rm(file);
    },
    120_000,
  );

  it('a byte is pushed, tagged, found and deleted; pulled it is not, because it is no image (case 70)', async () => {
    const { file, hash } = await imageFile(1);
    const place = `tester/${who}/byte`;
    await well(client('push', file, place, 'amd64', '1'));
    const image = (await world.tester.get(`/v1/images/${place}:1?arch=amd64`)).body.data;
    expect([image.hash, image.size, image.uploaded]).toEqual([hash, 1, true]);
    for (const tag of ['1', hash])
      expect(await refusal(client('pull', path('pulled'), place, 'amd64', tag))).toContain('http status 422');
    // It has no architecture, and clients always search for one.
    const found = (await world.tester.get(`/v1/search?value=tester/${who}/byte`)).body.data;
    expect(found.container).toHaveLength(1);
    await well(client('delete', `${place}:1`, 'amd64'));
    expect((await world.tester.get(`/v1/images/${place}:${hash}`)).status).toBe(404);
  });

  it('nothing at all is refused by the library, in a sentence that the client shows', async () => {
    const { file } = await imageFile(0);
    expect(await refusal(client('push', file, `tester/${who}/nothing`, 'amd64', '1'))).toContain(
      'expected 1 byte or more, an empty file is no image',
    );
  });

  it('a large file that had arrived before the client was killed is not sent again', async () => {
    const { file, hash } = await imageFile(64 * MIB + 2);
    const place = `tester/${who}/killed`;
    const { tester } = world;
    const { id } = (await tester.image(await tester.place(place), hash)).body.data as { id: string };
    const parts = `/v2/imagefile/${id}/_multipart`;
    const { uploadID } = (await tester.send('POST', parts, { filesize: 64 * MIB + 2 })).body.data as {
      uploadID: string;
    };
    const bytes = await readFile(file);
    for (const partNumber of [1, 2]) {
      const address = await tester.send('PUT', parts, { uploadID, partNumber, sha256sum: '' });
      const part = bytes.subarray((partNumber - 1) * 64 * MIB, partNumber * 64 * MIB);
      await tester.put(address.body.data.presignedURL as string, part);
    }
    const seen = await requestsOf(() => well(client('push', file, place, 'amd64', 'v1')));
    expect(seen.filter((request) => request.startsWith('PUT '))).toEqual([`PUT ${parts}_complete`]);
    expect((await tester.get(`/v1/images/${place}:v1?arch=amd64`)).body.data.hash).toBe(hash);
  });

  it('82: a file that the library has is not sent: its new tag is set, and that is all', async () => {
    const { file } = await imageFile(100_000);
    const place = `tester/${who}/again`;
    await well(client('push', file, place, 'amd64', 'v1'));
    const seen = await requestsOf(() => well(client('push', file, place, 'amd64', 'v2')));
    const { data: image } = (await world.tester.get(`/v1/images/${place}:v2?arch=amd64`)).body;
    expect(seen).toEqual([
      'GET /v1/oci-redirect',
      'GET /v1/entities/tester',
      `GET /v1/collections/tester/${who}`,
      `GET /v1/containers/${place}`,
      `GET /v1/images/${place}:${image.hash}`,
      'GET /version',
      `GET /v2/tags/${image.container}`,
      `POST /v2/tags/${image.container}`,
    ]);
  });

  it('83: tags are set in their order, each by a request', async () => {
    const { file } = await imageFile(100_001);
    const place = `tester/${who}/tags`;
    const seen = await requestsOf(() => well(client('push', file, place, 'amd64', 'v1,latest')));
    expect(seen.filter((request) => request.startsWith('POST /v2/tags/'))).toHaveLength(2);
    const container = (await world.tester.get(`/v1/containers/${place}`)).body.data;
    expect(Object.keys(container.archTags.amd64 as object).sort()).toEqual(['latest', 'v1']);
  });
});
