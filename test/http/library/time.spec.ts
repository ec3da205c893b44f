import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { SweepService } from '#apps/library/src/storage/sweep.service';
import { ManualClock } from '#libs/core';
import { TokenVerifier } from '#libs/server';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

const MINUTE = 60_000;
const PART = 100_000;

describe('uploads and time', () => {
  let world: World;
  let tester: StockClient;
  let clock: ManualClock;

  beforeEach(async () => {
    clock = new ManualClock(new Date());
    world = await startLibrary({ limits: { partBytes: PART }, clock });
    ({ tester } = world);
  });
  afterEach(() => world.stop());

  async function announce(bytes: Buffer) {
    const container = await tester.place('tester/up/load');
    return (await tester.image(container, hashOf(bytes))).body.data.id as string;
  }

  async function start(id: string, bytes: Buffer, client: StockClient): Promise<string> {
    const answer = await client.send('POST', `/v2/imagefile/${id}`, { filesize: bytes.length });
    return answer.body.data.uploadURL as string;
  }

  it('an address outlives the token that it was made with, and dies when that is revoked', async () => {
    const bytes = await testImage();
    const jti = '0123456789abcdef01234567';
    const exp = Math.floor(Date.now() / 1000) + 3600;
    const short = world.client(await world.authority.token({ username: 'tester', claims: { jti, exp } }));
    const id = await announce(bytes);
    const url = await start(id, bytes, short);
    clock.advance(61 * MINUTE);
    expect((await short.get('/v1/entities')).status).toBe(401);
    expect((await tester.put(url, bytes.subarray(1))).body.error.reason).toBe('wrong_length');
    world.authority.revoke(jti);
    await expect
      .poll(async () => (await tester.put(url, bytes.subarray(1))).body.error.reason as unknown)
      .toBe('token_revoked');
  });

  it('an address takes nothing while it is not known whose token was revoked', async () => {
    const bytes = await testImage();
    const url = await start(await announce(bytes), bytes, tester);
    const fresh = vi
      .spyOn(world.app.get<TokenVerifier>(TokenVerifier), 'fresh', 'get')
      .mockReturnValue(false);
    onTestFinished(() => fresh.mockRestore());
    const { status, body } = await tester.put(url, bytes);
    expect([status, body.error.reason]).toEqual([503, 'revocations_stale']);
    fresh.mockRestore();
    expect((await tester.put(url, bytes)).status).toBe(200);
  });

  it('an address ends with the key that signed its token', async () => {
    const bytes = await testImage();
    const url = await start(await announce(bytes), bytes, tester);
    await world.authority.retire();
    expect((await tester.put(url, bytes)).body.error.reason).toBe('token_revoked');
  });

  it('38: an address ends at its time', async () => {
    const bytes = await testImage();
    const url = await start(await announce(bytes), bytes, tester);
    clock.advance(24 * 60 * MINUTE);
    const answer = await tester.put(url, bytes);
    expect([answer.status, answer.body.error.reason]).toEqual([410, 'upload_url_expired']);
  });

  it('gives up an upload for which nothing arrives, its bytes and what it reserved', async () => {
    await world.admin.entity('tester', { quota: 300_000 });
    const bytes = await testImage({ size: 200_000 });
    const id = await announce(bytes);
    const begun = await tester.send('POST', `/v2/imagefile/${id}/_multipart`, { filesize: bytes.length });
    const uploadID = begun.body.data.uploadID as string;
    const address = (partNumber: number) =>
      tester.send('PUT', `/v2/imagefile/${id}/_multipart`, { uploadID, partNumber, sha256sum: '' });
    const other = await testImage({ size: 200_000 });
    const otherId = await announce(other);
    const startOther = () => tester.send('POST', `/v2/imagefile/${otherId}`, { filesize: other.length });
    const sweep = world.app.get(SweepService);

    clock.advance(50 * MINUTE);
    expect(
      (await tester.put((await address(1)).body.data.presignedURL as string, bytes.subarray(0, PART))).status,
    ).toBe(200);
    clock.advance(50 * MINUTE);
    await sweep.sweep();
    expect((await address(2)).status).toBe(200);
    expect((await startOther()).status).toBe(507);
    clock.advance(11 * MINUTE);
    await sweep.sweep();
    expect((await address(2)).status).toBe(409);
    expect(await world.temporaries()).toEqual([]);
    expect((await startOther()).status).toBe(200);
  });
});
