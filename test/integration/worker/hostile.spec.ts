import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contextOf, RemoteBuilds } from '../../support/remote-builds.js';

describe('a worker among hostile builds', () => {
  let builds: RemoteBuilds;

  beforeAll(async () => {
    builds = await RemoteBuilds.start();
  });
  afterAll(() => builds.stop());

  const FILES = 'bootstrap: scratch\n%files\n/data /data\n';

  it.each([
    ['an absolute link', '/etc/passwd'],
    ['a link that climbs', '../../../../../etc/passwd'],
    ['a link to a directory', '/etc'],
  ])('never puts a file of its own machine into an image: %s in the context', async (_, linkname) => {
    const context = await contextOf([
      { name: 'data/', type: 'directory' },
      { name: 'data/evil', type: 'symlink', linkname },
    ]);
    const id = await builds.submitWith(FILES, context);
    expect(await builds.logOf(id)).toMatch(/while copying \/data\/evil|links that stay in the archive/);
    expect((await builds.builder.status(id)).imageSize).toBeUndefined();
    expect(await builds.leftovers()).toEqual([]);
  });
});
