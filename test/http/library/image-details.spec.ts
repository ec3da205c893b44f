import { LIMITS } from '#apps/library/src/limits';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashOf, startLibrary, testImage, type World } from './world.js';

describe('what an image says of itself', () => {
  let world: World;
  beforeAll(async () => {
    world = await startLibrary();
  });
  afterAll(() => world.stop());

  const details = (place: string, client = world.anonymous) => client.get(`/v1/manage/details/${place}`);

  it('is read from its file, by tag and by hash', async () => {
    const labels = { topic: 'Fluid dynamics', number: 7, 'org.label-schema.build-arch': 'amd64' };
    const image = await testImage({
      says: { labels, helpfile: 'Ask Ann', deffile: 'Bootstrap: docker\nFrom: debian:12' },
    });
    await world.tester.push('tester/tools/solver', image, { tags: ['v1'] });
    for (const ref of ['v1?arch=amd64', 'v1', hashOf(image)]) {
      const { status, body } = await details(`tester/tools/solver/${ref}`);
      expect(status).toBe(200);
      expect(body.data).toEqual({
        labels: [
          { name: 'org.label-schema.build-arch', value: 'amd64' },
          { name: 'topic', value: 'Fluid dynamics' },
        ],
        definition: 'Bootstrap: docker\nFrom: debian:12',
        help: 'Ask Ann',
        objects: [
          {
            id: 1,
            type: 'JSON.Generic',
            name: 'inspect-metadata.json',
            size: expect.any(Number),
            group: 1,
            link: null,
          },
          { id: 2, type: 'FS (Squashfs/*System/amd64)', name: '', size: 4096, group: 1, link: null },
        ],
        cut: false,
      });
    }
    expect((await details('tester/tools/solver/v2')).status).toBe(404);
    expect((await details('tester/tools/solver/v1?arch=arm64')).status).toBe(404);
  });

  it('is the definition beside it where it says nothing, and nothing of what is no text', async () => {
    await world.tester.push('tester/tools/plain', await testImage({ definition: 'Bootstrap: scratch' }));
    expect((await details('tester/tools/plain/latest')).body.data).toMatchObject({
      labels: [],
      definition: 'Bootstrap: scratch',
      help: null,
    });
    await world.tester.push(
      'tester/tools/odd',
      await testImage({ says: { labels: ['a'], helpfile: 'x\0y' } }),
    );
    expect((await details('tester/tools/odd/latest')).body.data).toMatchObject({
      definition: null,
      help: 'xy',
    });
  });

  it('is told in part where there is much of it', async () => {
    const labels = Object.fromEntries(
      Array.from({ length: LIMITS.detailLabels + 1 }, (_, at) => [`n${at}`, 'x'.repeat(10)]),
    );
    await world.tester.push('tester/tools/much', await testImage({ says: { labels } }));
    const { data } = (await details('tester/tools/much/latest')).body;
    expect([(data.labels as unknown[]).length, data.cut]).toEqual([LIMITS.detailLabels, true]);
    await world.tester.push(
      'tester/tools/huge',
      await testImage({ says: { deffile: 'x'.repeat(LIMITS.detailBytes) } }),
    );
    expect((await details('tester/tools/huge/latest')).body.data.definition).toBeNull();
  });

  it('is for whoever may have the image, and of an image', async () => {
    const entity = (await world.tester.entity('tester')).body.data.id as string;
    await world.tester.collection(entity, 'closed', { private: true });
    await world.tester.push('tester/closed/secret', await testImage());
    expect((await details('tester/closed/secret/latest')).status).toBe(404);
    expect((await details('tester/closed/secret/latest', world.other)).status).toBe(404);
    expect((await details('tester/closed/secret/latest', world.tester)).status).toBe(200);
    await world.tester.push('tester/tools/text', Buffer.from('no image'.repeat(100)));
    expect((await details('tester/tools/text/latest')).status).toBe(422);
    expect((await details('tester/tools/text/bad%20tag')).status).toBe(400);
  });
});
