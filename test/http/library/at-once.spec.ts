import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppAnswer } from '../../support/app.js';
import { requireNothingWrong } from './checked.js';
import { rawRequest } from './transfer.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

const ROUNDS = 8;
const PART = 50_000;

/** What may be answered to whoever is too late: what he asks for has gone, or is something else by now. Never 500. */
const TOO_LATE = [404, 409];

/** What several do at the same time has a defined outcome, whoever is first. The worst moments, one by one: races.spec.ts. */
describe('several at once', () => {
  let world: World;
  let tester: StockClient;
  beforeEach(async () => {
    world = await startLibrary({ limits: { partBytes: PART } });
    ({ tester } = world);
  });
  afterEach(async () => {
    await requireNothingWrong(world);
    const left = await world.temporaries();
    await world.stop();
    if (left.length > 0) throw new Error(`Expected no temporary files, got ${left.join(', ')}`);
  });

  const times = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: count }, (_, index) => work(index)));
  const statuses = (answers: readonly AppAnswer[]) => [...new Set(answers.map(({ status }) => status))];
  const bytesAt = async (path: string) => (await rawRequest(world.app, `/v1/imagefile/${path}`)).body;

  /** A push that may be too late at each of its steps. @returns the status of the step that it ended with, and of its steps before */
  async function tryPush(
    client: StockClient,
    path: string,
    bytes: Buffer,
    parts: boolean,
  ): Promise<number[]> {
    const seen: number[] = [];
    const step = async (answer: Promise<AppAnswer>) => {
      const { status, body, headers } = await answer;
      seen.push(status);
      return status === 200 ? { data: body.data, etag: headers['etag'] } : undefined;
    };
    const place = await client.place(path).catch(() => undefined);
    if (place === undefined) return [404];
    const made = await step(client.image(place, hashOf(bytes)));
    if (made === undefined || made.data.uploaded) return seen;
    const file = `/v2/imagefile/${made.data.id as string}`;
    if (!parts) {
      const begun = await step(client.send('POST', file, { filesize: bytes.length }));
      if (begun === undefined) return seen;
      if ((await step(client.put(begun.data.uploadURL as string, bytes))) === undefined) return seen;
      await step(client.send('PUT', `${file}/_complete`, {}));
      return seen;
    }
    const begun = await step(client.send('POST', `${file}/_multipart`, { filesize: bytes.length }));
    if (begun === undefined) return seen;
    const { uploadID, totalParts } = begun.data as { uploadID: string; totalParts: number };
    const completedParts = [];
    for (let partNumber = 1; partNumber <= totalParts; partNumber += 1) {
      const asked = { uploadID, partNumber, sha256sum: '' };
      const address = await step(client.send('PUT', `${file}/_multipart`, asked));
      if (address === undefined) return seen;
      const part = bytes.subarray((partNumber - 1) * PART, partNumber * PART);
      const sent = await step(client.put(address.data.presignedURL as string, part));
      if (sent === undefined) return seen;
      completedParts.push({ partNumber, token: sent.etag });
    }
    await step(client.send('PUT', `${file}/_multipart_complete`, { uploadID, completedParts }));
    return seen;
  }

  it('the same content by several accounts, in one piece and in parts: everybody has it, the bytes are there once', async () => {
    const bytes = await testImage({ size: 120_000 });
    const clients = await times(ROUNDS, async (index) =>
      world.client(await world.authority.token({ username: `user${index}` })),
    );
    const seen = await times(ROUNDS, (index) =>
      tryPush(clients[index] ?? tester, `user${index}/same/n`, bytes, index % 2 === 0),
    );
    expect(new Set(seen.flat())).toEqual(new Set([200]));
    for (let index = 0; index < ROUNDS; index += 1)
      expect((await bytesAt(`user${index}/same/n:${hashOf(bytes)}`)).equals(bytes)).toBe(true);
    expect(await world.blobs()).toEqual([hashOf(bytes).slice(7)]);
  });

  it('the same content to the same container: one image, and everybody is told that it is there', async () => {
    const bytes = await testImage({ size: 120_000 });
    await tester.place('tester/same/n');
    const seen = await times(ROUNDS, (index) => tryPush(tester, 'tester/same/n', bytes, index % 2 === 0));
    expect(new Set(seen.flat())).toEqual(new Set([200]));
    expect((await tester.get('/v1/manage/images/tester/same/n')).body.data).toHaveLength(1);
  });

  it('the same tag for several images: each is told that it was set, and one of them has it', async () => {
    const container = await tester.place('tester/same/tag');
    const pushed = await times(ROUNDS, async () =>
      tester.push('tester/same/tag', await testImage(), { tags: [] }),
    );
    const answers = await times(ROUNDS, (index) => tester.tag(container, 'v1', pushed[index]?.id ?? ''));
    expect(statuses(answers)).toEqual([200]);
    const { amd64 } = (await tester.get(`/v2/tags/${container}`)).body.data;
    expect(pushed.map(({ id }) => id)).toContain(amd64.v1);
    expect(Object.keys(amd64 as object)).toEqual(['v1']);
  });

  it('an image that is tagged and deleted: the tag goes with it, or never was', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { id, container } = await tester.push('tester/same/gone', await testImage(), { tags: ['v1'] });
      const [removal, ...tags] = await Promise.all([
        tester.send('DELETE', '/v1/images/tester/same/gone:v1?arch=amd64'),
        ...[1, 2, 3].map((number) => tester.tag(container, `t${number}`, id)),
      ]);
      expect(removal.status).toBe(200);
      for (const { status } of tags) expect([200, ...TOO_LATE]).toContain(status);
      expect((await tester.get(`/v2/tags/${container}`)).body.data).toEqual({});
    }
  });

  it('a content that is deleted while others push it: nobody has an image without bytes', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const bytes = await testImage({ size: 120_000 });
      await tester.push('tester/same/first', bytes);
      const [removal, one, two] = await Promise.all([
        tester.send('DELETE', `/v1/images/tester/same/first:${hashOf(bytes)}`),
        tryPush(tester, 'tester/same/second', bytes, false),
        tryPush(world.other, 'other/same/third', bytes, true),
      ]);
      expect([removal.status, ...one, ...two].every((status) => status === 200)).toBe(true);
      for (const path of ['tester/same/second', 'other/same/third'])
        expect((await bytesAt(`${path}:${hashOf(bytes)}`)).equals(bytes)).toBe(true);
      expect((await tester.get(`/v1/images/tester/same/first:${hashOf(bytes)}`)).status).toBe(404);
    }
  });

  it('an image that is deleted while it is pushed again and pulled: each is whole, gone, or told so', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const bytes = await testImage({ size: 120_000 });
      const path = `tester/same/both:${hashOf(bytes)}`;
      await tester.push('tester/same/both', bytes);
      const [removal, seen, pull] = await Promise.all([
        tester.send('DELETE', `/v1/images/${path}`),
        tryPush(tester, 'tester/same/both', bytes, round % 2 === 0),
        rawRequest(world.app, `/v1/imagefile/${path}`),
      ]);
      expect(removal.status).toBe(200);
      for (const status of seen) expect([200, ...TOO_LATE]).toContain(status);
      expect(pull.status === 404 || (pull.status === 200 && pull.body.equals(bytes))).toBe(true);
      const after = await tester.get(`/v1/images/${path}`);
      const there = after.status === 200 && after.body.data.uploaded === true;
      expect(there ? (await bytesAt(path)).equals(bytes) : [200, 404].includes(after.status)).toBe(true);
      await tester.push('tester/same/both', bytes);
      expect((await bytesAt(path)).equals(bytes)).toBe(true);
    }
  });

  it('a container that gets another name, and one that is removed, while images are pushed to it', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const path = `tester/same/c${round}`;
      await tester.push(path, await testImage());
      const end =
        round % 2 === 0
          ? tester.send('PATCH', `/v1/manage/containers/${path}`, { name: `d${round}` })
          : tester.send('DELETE', `/v1/manage/containers/${path}`);
      const images = await times(3, () => testImage({ size: 120_000 }));
      const [ended, ...pushes] = await Promise.all([
        end,
        ...images.map((bytes, index) => tryPush(tester, path, bytes, index % 2 === 0)),
      ]);
      expect(ended.status).toBe(200);
      for (const status of pushes.flat()) expect([200, ...TOO_LATE]).toContain(status);
    }
  });
});
