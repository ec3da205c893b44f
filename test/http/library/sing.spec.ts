import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LibraryModule } from '#apps/library/src/library.module';
import { sing } from '#apps/sing/src/program';
import { WebModule } from '#apps/web/src/web.module';
import { run, type RunOptions, type RunResult } from '#libs/cli';
import type { ListedImage, ManagedContainer } from '#libs/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { announce } from '../../support/announce.js';
import { type StartedApp, startApp } from '../../support/app.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { hashOf, StockClient, testImage } from './world.js';

const PLACE = 'tester/tools/blast';

/** `sing library …` against a real library. */
describe('sing library', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let app: StartedApp;
  let client: StockClient;
  const bytes: Buffer[] = [];
  beforeAll(async () => {
    folder = await temporaryFolder();
    await mkdir(path('home'), { mode: 0o700 });
    const authority = await TestAuthority.make();
    app = await startApp({
      modules: [LibraryModule, WebModule, authority.module()],
      home: path('home'),
      env: {
        SCS_SERVICES: 'library,web',
        ...Object.fromEntries(
          ['AUTH', 'KEYSTORE', 'BUILDER'].map((name) => [`SCS_${name}_URL`, 'https://localhost:1']),
        ),
      },
    });
    const token = await authority.token({ username: 'tester' });
    await announce(path('home'), app, token);
    client = new StockClient(app, token);
    for (const tag of ['v1', 'v2', 'v3']) {
      const content = await testImage();
      bytes.push(content);
      await client.push(PLACE, content, { tags: [tag] });
    }
  });
  afterAll(async () => {
    // The token lies there because this test has put it there.
    await rm(path('home/test.token'), { force: true });
    await app.stop();
    await folder.remove();
  });

  const path = (name: string): string => join(folder.path, name);
  const library = (words: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    run(sing, ['library', ...words], {
      cwd: folder.path,
      ...options,
      env: { HOME: folder.path, SCS_HOME: path('home'), ...options.env },
    });
  const ok = async (...words: string[]): Promise<RunResult> => {
    const result = await library(words);
    if (result.status !== 0) throw new Error(`sing library ${words.join(' ')}: ${result.stderr}`);
    return result;
  };
  const json = async <T>(...words: string[]): Promise<T> =>
    JSON.parse((await ok(...words, '--json')).stdout) as T;
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
      /^Entity: +tester\nDescription: +Of the tester\nSize: .* of no limit\nNew containers: +public\nProtected tags: +release-\*\n/,
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

  it('hides: a private collection takes its containers along, and is not there for others', async () => {
    await ok('set', 'tester/tools', '--private');
    expect(await shown()).toMatchObject({ private: true });
    await rm(path('home/test.token'));
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
    [['rename', 'tester/tools', 'x'], 'entity/collection/container'],
    [['untag', PLACE], 'entity/collection/container:tag'],
  ])('%j is refused with a sentence', async (words, sentence) => {
    const { status, stderr } = await library(words);
    expect([status === 0, stderr]).toEqual([false, expect.stringContaining(sentence)]);
  });
});
