import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { requireNothingWrong } from './checked.js';
import { hashOf, startLibrary, testImage, type World } from './world.js';

/** ADR 26: every way out. */
describe('an entity that gives out what is signed alone', () => {
  let world: World;
  beforeAll(async () => {
    world = await startLibrary({ modules: [KeystoreModule], env: { SCS_SERVICES: 'library,keystore' } });
  });
  afterAll(async () => {
    await requireNothingWrong(world);
    await world.stop();
  });

  it('gives nothing else to another entity, where nobody sends any bytes', async () => {
    const { tester } = world;
    const bytes = await testImage();
    await tester.push('tester/strict/image', bytes, { tags: ['old'] });
    const requiredSigners = { pull: ['ab'.repeat(20)] };
    const change = await tester.send('PATCH', '/v1/manage/entities/tester', { requiredSigners });
    expect(change.status).toBe(200);
    const ann = world.client(await world.authority.token({ username: 'ann' }));
    const elsewhere = await ann.image(await ann.place('ann/own/copy'), hashOf(bytes));
    expect([elsewhere.status, elsewhere.body.data.uploaded]).toEqual([200, false]);
    expect((await ann.get(`/v1/imagefile/ann/own/copy:${hashOf(bytes)}`)).status).toBe(404);
    // What stays inside is as guarded as before.
    const inside = await tester.image(await tester.place('tester/strict/copy'), hashOf(bytes));
    expect(inside.body.data.uploaded).toBe(true);
    expect((await tester.get(`/v1/imagefile/tester/strict/copy:${hashOf(bytes)}`)).status).toBe(403);
    await tester.send('PATCH', '/v1/manage/entities/tester', { requiredSigners: null });
    const open = await ann.image(await ann.place('ann/own/other'), hashOf(bytes));
    expect(open.body.data.uploaded).toBe(true);
  });
});
