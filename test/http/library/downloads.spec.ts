import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DownloadCounts } from '#apps/library/src/downloads/downloadCounts.service';
import { DownloadDaysStore } from '#apps/library/src/downloads/downloadDays.store';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { LIMITS } from '#apps/library/src/limits';
import { ManualClock } from '#libs/core';
import { DATABASES } from '../../support/databases.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { requireNothingWrong } from './checked.js';
import { startLibrary, testImage, type World } from './world.js';

const DAY = 24 * 3600 * 1000;
/** The last hour of this day; certificates and tokens are of today. */
const EVENING = `${new Date().toISOString().slice(0, 10)}T23:00:00Z`;
const day = (after: number) => new Date(Date.parse(EVENING) + after * DAY).toISOString().slice(0, 10);
const [TODAY, TOMORROW] = [day(0), day(1)];

describe.each(DATABASES)('downloads by day over $name', ({ open }) => {
  let world: World;
  let clock: ManualClock;
  beforeAll(async () => {
    clock = new ManualClock(EVENING);
    world = await startLibrary({ open, clock });
  });
  afterAll(async () => {
    await requireNothingWrong(world);
    await world.stop();
  });

  const pull = (path: string, headers = {}) => world.app.request(`/v1/imagefile/${path}`, { headers });
  const written = () => world.app.get(DownloadCounts).flush();
  const days = async (path: string, query = '') => {
    await written();
    return (await world.anonymous.get(`/v1/manage/downloads/${path}${query}`)).body;
  };

  it('are those that began with the first byte, and no looks', async () => {
    const path = 'tester/days/counted';
    await world.tester.push(path, await testImage());
    expect((await days(path)).data).toEqual({ from: day(-29), to: TODAY, total: 0, days: [] });
    await pull(`${path}:latest`);
    await pull(`${path}:latest`);
    await pull(`${path}:latest`, { range: 'bytes=10-' });
    await world.app.request(`/v1/imagefile/${path}:latest`, { method: 'HEAD' });
    const counted = async () => (await days(path)).data.days as unknown;
    await expect.poll(counted).toEqual([{ day: TODAY, downloads: 2 }]);
    const { body } = await world.anonymous.get(`/v1/containers/${path}`);
    expect(body.data.downloadCount).toBe(2);
  });

  it('are of the day on which they were, however late they are written', async () => {
    const path = 'tester/days/midnight';
    await world.tester.push(path, await testImage());
    const counts = world.app.get(DownloadCounts);
    const { id } = (await world.tester.get(`/v1/containers/${path}`)).body.data as { id: string };
    counts.count(id);
    clock.advance(2 * 3600 * 1000);
    counts.count(id);
    counts.count(id);
    expect((await days(path)).data).toMatchObject({
      total: 3,
      days: [
        { day: TODAY, downloads: 1 },
        { day: TOMORROW, downloads: 2 },
      ],
    });
    expect((await days(path, `?from=${TOMORROW}&to=${TOMORROW}`)).data).toEqual({
      from: TOMORROW,
      to: TOMORROW,
      total: 2,
      days: [{ day: TOMORROW, downloads: 2 }],
    });
    expect((await days(path, `?from=${day(2)}&to=${TOMORROW}`)).error.reason).toBe('invalid_days');
    expect((await days(path, '?from=2026-5-6')).error.code).toBe(400);
  });

  it('cost one commit for all that happened in between', async () => {
    const ids = [];
    for (const name of ['one', 'two']) ids.push(await world.tester.place(`tester/batch/${name}`));
    await written();
    const database = world.app.get<Database>(DATABASE);
    const commits = vi.spyOn(database, 'commit');
    const counts = world.app.get(DownloadCounts);
    for (let times = 0; times < 50; times += 1) for (const id of ids) counts.count(id);
    await written();
    // Of what the library writes meanwhile, the feed of events for one, these are those that count.
    const counting = commits.mock.calls.filter(([writes]) =>
      writes.some(({ collection }) => collection === 'containers'),
    );
    expect(counting).toHaveLength(1);
    commits.mockRestore();
    expect((await days('tester/batch/two')).data.total).toBe(50);
  });

  it('are written later when the database takes nothing, and none twice', async () => {
    const path = 'tester/days/later';
    const id = await world.tester.place(path);
    const database = world.app.get<Database>(DATABASE);
    const commits = vi.spyOn(database, 'commit').mockRejectedValue(new Error('The disk is full'));
    const counts = world.app.get(DownloadCounts);
    counts.count(id);
    await written();
    counts.count(id);
    await written();
    commits.mockRestore();
    expect((await days(path)).data.total).toBe(2);
    expect((await days(path)).data.total).toBe(2);
  });

  it('of a container that is gone are nobody’s', async () => {
    const path = 'tester/days/gone';
    const id = await world.tester.place(path);
    const counts = world.app.get(DownloadCounts);
    counts.count(id);
    await written();
    counts.count(id);
    expect((await world.tester.send('DELETE', `/v1/manage/containers/${path}`)).status).toBe(200);
    await written();
    expect(await world.app.get(DownloadDaysStore).ofContainer(id, 10)).toEqual([]);
  });

  it('of a private container are members’ to read', async () => {
    const path = 'tester/days/closed';
    await world.tester.place(path);
    await world.tester.send('PATCH', `/v1/manage/containers/${path}`, { private: true });
    expect((await days(path)).error.code).toBe(404);
    expect((await world.tester.get(`/v1/manage/downloads/${path}`)).status).toBe(200);
  });

  // The last one: every token has ended by then.
  it('are kept for a time', async () => {
    const path = 'tester/days/old';
    const id = await world.tester.place(path);
    world.app.get(DownloadCounts).count(id);
    await written();
    const then = clock.now().toISOString().slice(0, 10);
    const kept = async () => (await days(path, `?from=${then}&to=${then}`)).data.total as number;
    clock.advance((LIMITS.downloadDays - 1) * DAY);
    await world.app.get(DownloadCounts).sweep();
    expect(await kept()).toBe(1);
    clock.advance(DAY);
    while ((await world.app.get(DownloadCounts).sweep()) > 0);
    expect(await kept()).toBe(0);
  });
});

it('downloads that were counted are written when the service stops', async () => {
  const [authority, home] = [await TestAuthority.make(), await temporaryFolder()];
  const before = await startLibrary({ authority, home: home.path });
  const id = await before.tester.place('tester/days/stopped');
  before.app.get(DownloadCounts).count(id);
  await before.stop();
  const after = await startLibrary({ authority, home: home.path });
  const { body } = await after.anonymous.get('/v1/manage/downloads/tester/days/stopped');
  expect(body.data.total).toBe(1);
  await after.stop();
  await home.remove();
});
