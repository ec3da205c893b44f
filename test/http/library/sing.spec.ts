import { writeFile } from 'node:fs/promises';
import type { ListedImage, ManagedContainer, ManagedEntity, RetainedImage } from '#libs/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SingLibrary, startSingLibrary } from './sing-library.js';
import { hashOf, testImage } from './world.js';

const PLACE = 'tester/tools/blast';

/** `sing library …` against a real library. */
describe('sing library', () => {
  let scene: SingLibrary;
  const bytes: Buffer[] = [];
  beforeAll(async () => {
    scene = await startSingLibrary();
    for (const tag of ['v1', 'v2', 'v3']) {
      const content = await testImage();
      bytes.push(content);
      await scene.client.push(PLACE, content, { tags: [tag] });
    }
  });
  afterAll(() => scene.stop());

  const { path, library, ok, json } = {
    path: (name: string) => scene.path(name),
    library: (...args: Parameters<SingLibrary['library']>) => scene.library(...args),
    ok: (...words: string[]) => scene.ok(...words),
    json: <T>(...words: string[]) => scene.json<T>(...words),
  };
  const shown = async (place = PLACE): Promise<ManagedContainer> => {
    const { containers } = await json<{ containers: ManagedContainer[] }>('show', place);
    return containers[0] ?? expect.fail('nothing is shown');
  };
  const tagsOf = async (place = PLACE): Promise<string[][]> =>
    (await json<{ images: ListedImage[] }>('list', place)).images.map(({ tags }) => tags);

  it('lists from the entities down to the images, newest first', async () => {
    expect((await ok('list')).stdout).toMatch(/^NAME +SIZE +QUOTA +DESCRIPTION\ntester +\S+ \S+ +none/);
    expect((await ok('list', 'tester')).stdout).toMatch(/\ntools +\d/);
    expect((await ok('list', 'library://tester/tools')).stdout).toMatch(/\nblast +3 +0 +\d/);
    const { stdout } = await ok('list', PLACE);
    const lines = stdout.trimEnd().split('\n').slice(1);
    expect(lines.map((line) => line.split(/ +/)[0])).toEqual(['v3', 'v2', 'v1']);
    expect(lines[0]).toContain(hashOf(bytes[2] ?? Buffer.alloc(0)));
  });

  it('describes: what is named is changed, and nothing else', async () => {
    await writeFile(path('README.md'), '# BLAST\n\nHow to use it.\n');
    await ok('set', PLACE, '--description', 'BLAST+', '--readme', 'README.md');
    await ok('set', PLACE, '--read-only');
    expect(await shown()).toMatchObject({
      description: 'BLAST+',
      fullDescription: '# BLAST\n\nHow to use it.\n',
      readOnly: true,
    });
    await ok('set', '--writable', PLACE);
    const { stdout } = await ok('show', PLACE);
    expect(stdout).toContain('Takes images:    yes');
    expect(stdout).toMatch(/\n\n# BLAST\n\nHow to use it\.\n$/);
  });

  it('reads a README from standard input', async () => {
    const { status } = await library(['set', PLACE, '--readme', '-'], { stdin: 'From a pipe' });
    expect([status, (await shown()).fullDescription]).toEqual([0, 'From a pipe']);
  });

  it('shows entities and collections', async () => {
    await ok('set', 'tester', '-D', 'Of the tester', '--protect-tag', 'release-*');
    expect((await ok('show', 'tester')).stdout).toMatch(
      /^Entity: +tester\nDescription: +Of the tester\nSize: .* of no limit\nNew containers: +public\nProtected tags: +release-\*\nSigned on push: +need not be\nSigned on pull: +need not be\nKept images: +all\n/,
    );
    await ok('set', 'tester', '--protect-none');
    expect((await ok('show', 'tester/tools')).stdout).toMatch(/^Collection: +tester\/tools\n/);
  });

  it('protects tags: untag is refused with the reason until they are free again', async () => {
    await ok('set', PLACE, '--protect-tag', 'v1,v2');
    expect(await shown()).toMatchObject({ protectedTags: ['v1', 'v2'] });
    const refused = await library(['untag', `${PLACE}:v1`, '--arch', 'amd64']);
    expect([refused.status, refused.stderr]).toEqual([255, expect.stringContaining('protected')]);
    await ok('set', PLACE, '--protect-none');
    await ok('untag', `${PLACE}:v1`, '--arch', 'amd64');
    expect(await tagsOf()).toEqual([['v3'], ['v2'], []]);
  });

  it('retains: tries rules, applies those of the container alone, and says what went', async () => {
    const tried = await ok('retain', PLACE, '--keep-last', '1');
    expect(tried.stderr).toContain('2 images would be removed');
    expect(tried.stdout).toContain('one of the last');
    expect(await tagsOf()).toHaveLength(3);
    const mixed = await library(['retain', PLACE, '--apply', '--keep-last', '1']);
    expect([mixed.status, mixed.stderr]).toEqual([1, expect.stringContaining('Only the rules')]);
    await ok('set', PLACE, '--keep-tag', 'v3', '--keep-tag', 'v2');
    expect((await shown()).retention).toEqual({ keepTags: ['v3', 'v2'] });
    const unasked = await library(['retain', PLACE, '--apply']);
    expect([unasked.status, unasked.stderr]).toEqual([255, expect.stringContaining('--force')]);
    expect((await ok('retain', PLACE, '--apply', '--force')).stderr).toContain('1 images removed');
    expect(await tagsOf()).toEqual([['v3'], ['v2']]);
    await ok('set', PLACE, '--keep-all');
    expect((await shown()).retention).toBe(null);
  });

  it('renames, and the old name leads to it', async () => {
    expect((await ok('rename', PLACE, 'blast-plus')).stderr).toContain(
      `${PLACE} is tester/tools/blast-plus now`,
    );
    expect(await shown()).toMatchObject({ name: 'blast-plus' });
    await ok('rename', 'tester/tools/blast-plus', 'blast');
  });

  it('renames a collection with all that is in it', async () => {
    expect((await ok('rename', 'tester/tools', 'instruments')).stderr).toContain(
      'tester/tools is tester/instruments now',
    );
    expect(await shown('tester/instruments/blast')).toMatchObject({ collectionName: 'instruments' });
    await ok('rename', 'tester/instruments', 'tools');
  });

  describe('rules of an entity', () => {
    const entity = async (): Promise<ManagedEntity> =>
      (await json<{ entities: ManagedEntity[] }>('show', 'tester')).entities[0] ?? expect.fail('nothing');
    interface Retained {
      readonly containers: { readonly container: string; readonly images: RetainedImage[] }[];
      readonly removed: number;
      readonly dryRun: boolean;
    }

    it('are applied in another way without being said again', async () => {
      const none = await library(['set', 'tester', '--apply-daily']);
      expect([none.status, none.stderr]).toEqual([
        255,
        expect.stringContaining('--keep-last 5 --apply-daily'),
      ]);
      await ok('set', 'tester', '--keep-last', '5', '--apply-daily');
      await ok('set', 'tester', '--keep-last', '1');
      expect((await entity()).retention).toEqual({ keepLast: 1, apply: 'daily' });
      expect((await ok('show', 'tester')).stdout).toContain(
        'the last 1 of each architecture; applied once a day',
      );
      await ok('set', 'tester', '--apply-asked');
      expect((await entity()).retention).toEqual({ keepLast: 1, apply: 'asked' });
    });

    it('are tried and applied in all containers, page by page', async () => {
      const places = Array.from({ length: 21 }, (_, index) => `tester/many/c${index}`);
      for (const place of places) await scene.client.push(place, await testImage());
      const twice = ['tester/many/c0', 'tester/many/c20'];
      for (const place of twice) await scene.client.push(place, await testImage(), { tags: ['new'] });
      await ok('set', PLACE, '--keep-last', '9');
      const tried = await json<Retained>('retain', 'tester');
      expect(tried).toMatchObject({ removed: 2, dryRun: true });
      expect(tried.containers).toHaveLength(22);
      const mixed = await library(['retain', 'tester', '--apply', '--keep-last', '1']);
      expect([mixed.status, mixed.stderr]).toEqual([
        1,
        expect.stringContaining('Only the rules of the entity'),
      ]);
      const unasked = await library(['retain', 'tester', '--apply']);
      expect([unasked.status, unasked.stderr]).toEqual([255, expect.stringContaining('--force')]);
      const applied = await ok('retain', 'tester', '--apply', '--force');
      expect(applied.stderr).toContain('2 images of 22 containers with rules removed');
      expect(applied.stdout.match(/^tester\/many\/\S+/gm)).toEqual(twice);
      for (const place of twice) expect(await tagsOf(place)).toEqual([['new']]);
      await ok('set', PLACE, '--keep-all');
      await ok('set', 'tester', '--keep-all');
      expect((await entity()).retention).toBe(null);
    });
  });

  it('hides: a private collection takes its containers along, and is not there for others', async () => {
    await ok('set', 'tester/tools', '--private');
    expect(await shown()).toMatchObject({ private: true });
    await scene.logOut();
    const stranger = await library(['show', PLACE]);
    expect([stranger.status, stranger.stderr]).toEqual([
      255,
      expect.stringContaining('There is no container'),
    ]);
    const { status, stderr } = await library(['set', 'tester/tools', '--public']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('You are not logged in')]);
  });

  it.each([
    [['set', PLACE], 'Say what to change'],
    [['set', PLACE, '--private', '--public'], '--private and --public exclude each other'],
    [['set', PLACE, '--quota', '5'], 'A container has no quota'],
    [['set', 'tester', '--readme', 'README.md'], 'An entity has no README'],
    [['set', 'a/b/c/d', '--private'], 'entity, entity/collection or entity/collection/container'],
    [['set', PLACE, '--keep-all', '--apply-daily'], '--keep-all and the other rules exclude each other'],
    [['set', PLACE, '--signers-none'], 'A container has no rule who must have signed'],
    [['set', 'tester', '--quota', '10X'], 'bytes, or a size such as 10G'],
    [['rename', 'tester', 'x'], 'entity/collection/container'],
    [['retain', 'tester/tools'], 'sing library retain tester'],
    [['show', '--definition', PLACE], 'A definition is in an image'],
    [['show', `${PLACE}:`], 'a tag, or sha256.HASH'],
    [['star', 'tester/tools'], 'entity/collection/container'],
    [['events', '--kind', 'image.pull'], 'There are: collection.change'],
    [['events', '--entity', 'tester/tools'], 'the name of an entity'],
    [['webhook', 'set', 'tester', '1', '--enable', '--disable'], 'exclude each other'],
    [['webhook', 'set', 'tester', '1'], 'Say what to change'],
    [['untag', PLACE], 'entity/collection/container:tag'],
  ])('%j is refused with a sentence', async (words, sentence) => {
    const { status, stderr } = await library(words);
    expect([status === 0, stderr]).toEqual([false, expect.stringContaining(sentence)]);
  });
});
