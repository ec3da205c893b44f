import { expect, it, vi } from 'vitest';
import { UsageService } from '#apps/library/src/storage/usage.service';
import { describeManaged } from './managed.js';
import { testImage } from './world.js';

describeManaged('rules that are applied while somebody pushes', (on) => {
  it('let an image stay that gets a tag right before it would be gone', async () => {
    const { tester } = on.world;
    const path = 'tester/rules/meanwhile';
    const old = await testImage();
    const container = await tester.place(path);
    const { id } = await tester.push(path, old);
    on.clock.advance(1000);
    await tester.push(path, await testImage(), { tags: ['new'] });
    await on.change(`containers/${path}`, { retention: { keepLast: 1 } });
    // Everything was read for the removal, and nothing is written.
    const usage = on.world.app.get(UsageService);
    const removing = usage.removing.bind(usage);
    const spy = vi.spyOn(usage, 'removing').mockImplementationOnce(async (use) => {
      const changes = await removing(use);
      expect((await tester.send('POST', `/v1/tags/${container}`, { Tag: 'kept', ImageID: id })).status).toBe(
        200,
      );
      return changes;
    });
    const { status, body } = await tester.send('POST', `/v1/manage/retention/${path}`, { dryRun: false });
    expect(spy).toHaveBeenCalledOnce();
    spy.mockRestore();
    expect([status, body.data?.removed]).toEqual([200, 0]);
    expect((await tester.get(`/v1/images/${path}:kept`)).status).toBe(200);
  });
});
