import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashOf, startLibrary, testImage, type World } from '../http/library/world.js';
import { openRequest, rawRequest } from '../http/library/transfer.js';
import { type FerretDb, lackingMongo, startFerretDb } from '../support/ferretdb.js';
import { skipped } from '../support/needs.js';

/* A database that goes away in the middle of a push and of a pull, and comes back. Of the object store: blobs-s3-failures.spec.ts. */

const PART = 100_000;
const reason = lackingMongo();

describe.skipIf(reason)(`a library whose database is started anew${skipped(reason)}`, () => {
  let database: FerretDb;
  let world: World;
  beforeAll(async () => {
    database = await startFerretDb();
    const env = { SCS_DATABASE_URL: database.url({ database: `t${randomBytes(4).toString('hex')}` }) };
    world = await startLibrary({
      limits: { partBytes: PART },
      open: async () => ({ env, stop: () => database.stop() }),
    });
  });
  afterAll(() => world.stop());

  it('ends a pull that has begun, says what is the matter meanwhile, and goes on with the push', async () => {
    const { tester } = world;
    const pulled = await testImage({ size: 30_000_000 });
    await tester.push('tester/outage/pulled', pulled);
    const bytes = await testImage({ size: 250_000 });
    const { id } = (await tester.image(await tester.place('tester/outage/pushed'), hashOf(bytes))).body.data;
    const path = `/v2/imagefile/${id}/_multipart`;
    const { uploadID } = (await tester.send('POST', path, { filesize: bytes.length })).body.data;
    const address = (partNumber: number) => tester.send('PUT', path, { uploadID, partNumber, sha256sum: '' });
    const sendPart = async (url: string, number: number) => {
      const sent = await tester.put(url, bytes.subarray((number - 1) * PART, number * PART));
      return { status: sent.status, partNumber: number, token: sent.headers['etag'] };
    };
    const urls: string[] = [];
    for (const number of [1, 2, 3]) urls.push((await address(number)).body.data.presignedURL as string);
    const completedParts = [await sendPart(urls[0] ?? '', 1)];
    const pull = openRequest(world.app, '/v1/imagefile/tester/outage/pulled', {});
    pull.end();
    const [answer] = (await once(pull, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(200);

    await database.kill();
    const refusals = await Promise.all([
      tester.get('/v1/images/tester/outage/pulled:latest'),
      address(2),
      tester.put(urls[1] ?? '', bytes.subarray(PART, 2 * PART)),
      tester.send('PUT', `${path}_complete`, { uploadID, completedParts }),
      tester.send('DELETE', '/v1/images/tester/outage/pulled:latest'),
    ]);
    for (const { status, body } of refusals) {
      expect([status, body.error.code]).toEqual([503, 503]);
      expect(body.error.message).toMatch(/database/);
    }
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(pulled)).toBe(true);

    await database.startAgain();
    await expect.poll(async () => (await address(2)).status, { timeout: 60_000 }).toBe(200);
    for (const number of [2, 3]) completedParts.push(await sendPart(urls[number - 1] ?? '', number));
    expect(completedParts.map(({ status }) => status)).toEqual([200, 200, 200]);
    const ended = await tester.send('PUT', `${path}_complete`, { uploadID, completedParts });
    expect(ended.status).toBe(200);
    const got = await rawRequest(world.app, `/v1/imagefile/tester/outage/pushed:${hashOf(bytes)}`);
    expect(got.body.equals(bytes)).toBe(true);
    expect((await world.anonymous.get('/v1/images/tester/outage/pulled:latest')).status).toBe(200);
    expect(await world.temporaries()).toEqual([]);
  }, 180_000);
});
