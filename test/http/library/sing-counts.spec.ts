import type { AccountUsage, DownloadsAnswer, StarredContainer } from '#libs/contract';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type SingLibrary, startSingLibrary } from './sing-library.js';
import { testImage } from './world.js';

const PLACE = 'tester/tools/blast';

/** Stars, downloads and quota with `sing library`. */
describe('sing library, what is counted', () => {
  let scene: SingLibrary;
  let image: Buffer;
  beforeAll(async () => {
    scene = await startSingLibrary({ administrator: true, limits: { downloadFlush: 20 } });
    image = await testImage();
    await scene.client.push(PLACE, image, { tags: ['v1'] });
  });
  afterAll(() => scene.stop());

  it('gives a star and takes it back', async () => {
    const starred = async (): Promise<StarredContainer[]> =>
      (await scene.json<{ stars: StarredContainer[] }>('stars')).stars;
    expect((await scene.ok('stars')).stderr).toContain('no star yet');
    expect((await scene.ok('star', PLACE)).stderr).toContain(`${PLACE} has 1 star now`);
    expect(await starred()).toMatchObject([
      { entity: 'tester', collection: 'tools', name: 'blast', stars: 1 },
    ]);
    expect((await scene.ok('stars')).stdout).toMatch(/\ntester\/tools\/blast +1 +0 +\d{4}-/);
    expect((await scene.ok('unstar', PLACE)).stderr).toContain('0 stars');
    expect(await starred()).toEqual([]);
  });

  it('shows downloads by day', async () => {
    expect((await scene.ok('downloads', PLACE)).stderr).toMatch(/0 downloads from \S+ to \S+\./);
    const { status } = await scene.client.get(`/v1/imagefile/${PLACE}:v1?arch=amd64`);
    expect(status).toBe(200);
    const day = new Date().toISOString().slice(0, 10);
    await vi.waitFor(async () => {
      type Days = { downloads: DownloadsAnswer['data']['days']; total: number };
      const { downloads, total } = await scene.json<Days>('downloads', PLACE);
      expect([downloads, total]).toEqual([[{ day: expect.any(String), downloads: 1 }], 1]);
    }, 10_000);
    expect((await scene.ok('downloads', PLACE)).stdout).toMatch(/^DAY +DOWNLOADS\n\d{4}-\d\d-\d\d +1\n$/);
    const range = ['--from', '2026-01-01', '--to', '2026-01-31'];
    expect((await scene.ok('downloads', PLACE, ...range)).stderr).toContain(
      '0 downloads from 2026-01-01 to 2026-01-31',
    );
    const wrong = await scene.library(['downloads', PLACE, '--from', day.slice(0, 7)]);
    expect([wrong.status, wrong.stderr]).toEqual([255, expect.stringContaining('from')]);
  });

  it('shows what an account holds, and gives it a quota', async () => {
    const usage = async (...words: string[]): Promise<AccountUsage['data'] | undefined> =>
      (await scene.json<{ accounts: AccountUsage['data'][] }>('usage', ...words)).accounts[0];
    expect(await usage()).toEqual({
      account: 'tester',
      quota: 0,
      ownQuota: null,
      used: image.length,
      reserved: 0,
    });
    expect(await usage('somebody', '--quota', '10G')).toMatchObject({
      account: 'somebody',
      ownQuota: 10 * 1024 ** 3,
    });
    expect(await usage('--quota', '5m')).toMatchObject({ account: 'tester', quota: 5 * 1024 ** 2 });
    expect((await scene.ok('usage')).stdout).toMatch(/^Account: +tester\nQuota: +5\.0 MiB\nUsed: /);
    expect(await usage('--quota', '0')).toMatchObject({ ownQuota: 0 });
    expect(await usage('--quota', 'default')).toMatchObject({ ownQuota: null });
    expect((await scene.ok('usage')).stdout).toContain('no limit (that of all accounts)');
    const wrong = await scene.library(['usage', '--quota', '10 gigs']);
    expect([wrong.status, wrong.stderr]).toEqual([255, expect.stringContaining('a size such as 10G')]);
  });

  it('takes a size for the quota of an entity', async () => {
    await scene.ok('set', 'tester', '--quota', '2T');
    expect((await scene.ok('show', 'tester')).stdout).toContain('of 2.0 TiB');
    await scene.ok('set', 'tester', '--quota', '0');
  });
});
