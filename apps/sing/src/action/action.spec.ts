import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World } from '../testing/world.js';
import { globalWords } from './native.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.close());

describe('the verbs that start something', () => {
  it.each(['docker://alpine', 'oras://host/x:1', 'https://host/x.sif', 'oci:folder'])(
    'refuse %s with a sentence until it is offered',
    async (image) => {
      const { status, stderr } = await world.run(['exec', image, 'true']);
      expect([status, stderr]).toEqual([
        255,
        expect.stringContaining('Expected a file, a folder or library://…'),
      ]);
    },
  );

  it('need an image, and exec a command', async () => {
    expect((await world.run(['run'])).status).toBe(1);
    expect((await world.run(['exec', 'image.sif'])).status).toBe(1);
  });

  it('hand global flags on that the native part knows', () => {
    expect(globalWords({ debug: true, quiet: false, remote: 'lab', config: '/etc/x' })).toEqual([
      '--debug',
      '--config',
      '/etc/x',
    ]);
  });
});
