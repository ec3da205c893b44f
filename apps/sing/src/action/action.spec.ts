import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World } from '../testing/world.js';
import { withoutFetchFlags } from './flags.js';
import { globalWords } from './native.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.close());

describe('the verbs that start something', () => {
  it.each([
    [
      'docker://alpine',
      'skopeo copy docker://alpine oci:FOLDER:latest, then sing build image.sif oci:FOLDER',
    ],
    ['docker-archive:a.tar', 'skopeo copy docker-archive:a.tar'],
    ['oci:folder', 'sing build image.sif oci:folder'],
    ['shub://a/b', 'Singularity Hub was closed in 2021'],
    ['nowhere://a/b', 'unsupported transport type: nowhere'],
  ])('refuse %s with what helps, in the words of pull', async (image, words) => {
    const { status, stderr } = await world.run(['exec', image, 'true']);
    expect([status, stderr]).toEqual([255, expect.stringContaining(words)]);
    expect((await world.run(['pull', 'a.sif', image])).stderr).toBe(stderr);
  });

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

  it.each(['docker://alpine', 'docker-archive:a.tar', 'shub://a/b', 'nowhere://a/b'])(
    'refuse %s in the words of build',
    async (image) => {
      const { stderr } = await world.run(['exec', image, 'true']);
      expect((await world.run(['build', 'a.sif', image])).stderr).toBe(stderr);
    },
  );

  it.each([
    [
      ['--docker-password', 'secret', '-B', '/a'],
      ['-B', '/a'],
    ],
    [['--docker-password=secret', '--no-https', '--disable-cache'], []],
    [
      ['--env', '--docker-password', '-c'],
      ['--env', '--docker-password', '-c'],
    ],
    [
      ['-cB', '--no-https', '--no-https'],
      ['-cB', '--no-https'],
    ],
    [
      ['-B/a', '--authfile', 'f', '--bind=/b'],
      ['-B/a', '--bind=/b'],
    ],
  ])('hand %j on without what was for the fetching', (words, kept) => {
    expect(withoutFetchFlags(words)).toEqual(kept);
  });
});
