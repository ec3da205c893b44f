import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashOf, startLibrary, testImage, type World } from './world.js';

const PART = 100_000;

describe('an upload that goes on with another token', () => {
  let world: World;
  beforeAll(async () => {
    world = await startLibrary({ limits: { partBytes: PART } });
  });
  afterAll(() => world.stop());

  it('is of the key that signed that one, also when the key of the first is no longer', async () => {
    const bytes = await testImage({ size: 3 * PART });
    const claims = { username: 'ann', organisations: { team: 'writer' } } as const;
    await world.admin.entity('team');
    const first = world.client(await world.authority.token(claims));
    const container = await first.place('team/life/resumed');
    const { id } = (await first.image(container, hashOf(bytes))).body.data as { id: string };
    const path = `/v2/imagefile/${id}/_multipart`;
    const begun = (await first.send('POST', path, { filesize: bytes.length })).body.data;
    await world.authority.retire();
    const second = world.client(await world.authority.token(claims));
    const resumed = (await second.send('POST', path, { filesize: bytes.length, resume: true })).body.data;
    expect(resumed.uploadID).toBe(begun.uploadID);
    const address = await second.send('PUT', path, {
      uploadID: begun.uploadID,
      partNumber: 1,
      sha256sum: '',
    });
    const sent = await second.put(address.body.data.presignedURL as string, bytes.subarray(0, PART));
    expect([sent.status, sent.body.error?.reason]).toEqual([200, undefined]);
  });
});
