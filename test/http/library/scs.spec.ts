import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tables } from '#apps/library/src/check/tables.store';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { LibraryModule } from '#apps/library/src/library.module';
import { scs } from '#apps/scs/src/program';
import { WebModule } from '#apps/web/src/web.module';
import { run, type RunOptions, type RunResult } from '#libs/cli';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitForEntries } from '../../support/audit.js';
import { announce } from '../../support/announce.js';
import { type StartedApp, startApp } from '../../support/app.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { hashOf, StockClient, testImage } from './world.js';

const PLACE = 'tester/data/tools';

/** `scs library …` against a real library. */
describe('scs library check', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let authority: TestAuthority;
  let app: StartedApp;
  let admin: string;
  let tester: string;
  let bytes: Buffer;
  const start = (): Promise<StartedApp> =>
    startApp({
      modules: [LibraryModule, WebModule, authority.module()],
      home: path('home'),
      env: {
        SCS_SERVICES: 'library,web',
        ...Object.fromEntries(
          ['AUTH', 'KEYSTORE', 'BUILDER'].map((name) => [`SCS_${name}_URL`, 'https://localhost:1']),
        ),
      },
    });
  beforeAll(async () => {
    folder = await temporaryFolder();
    await mkdir(path('home'), { mode: 0o700 });
    authority = await TestAuthority.make();
    admin = await authority.token({ username: 'root', administrator: true });
    tester = await authority.token({ username: 'tester' });
    app = await start();
    await announce(path('home'), app, admin);
    bytes = await testImage();
    await new StockClient(app, tester).push(PLACE, bytes);
  });
  afterAll(async () => {
    // The token of the administrator lies there because this test has put it there.
    await rm(path('home/test.token'), { force: true });
    await app.stop();
    await folder.remove();
  });

  const path = (name: string): string => join(folder.path, name);
  const check = (words: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    run(scs, ['library', 'check', ...words], {
      cwd: folder.path,
      ...options,
      env: { SCS_HOME: path('home'), ...options.env },
    });
  const CLEAN = (hashed = ''): string =>
    `${bytes.length} bytes in the documents, ${bytes.length} bytes in the store: 0 bytes of difference${hashed}\n` +
    '3 objects, 1 images, 1 blobs: nothing is wrong\n';
  /** One word too many in the container. */
  const damage = async (): Promise<number> => {
    const tables = new Tables(app.get<Database>(DATABASE));
    const id = (await tables.names.get(PLACE))?.value.target ?? '';
    await tables.containers.increment(id, 'size', 5);
    return bytes.length + 5;
  };
  const line = (recorded: number): string =>
    `${PLACE} counts other bytes than its images have (written down: ${recorded}, there: ${bytes.length})`;

  it('says that nothing is wrong, with the numbers, and reads all bytes on request', async () => {
    for (const words of [[], ['--strict'], ['--repair']])
      expect(await check(words)).toMatchObject({ status: 0, stdout: CLEAN() });
    expect(await check(['--rehash', '--strict'])).toMatchObject({
      status: 0,
      stdout: CLEAN(`, ${bytes.length} bytes hashed`),
    });
    expect(JSON.parse((await check(['--json'])).stdout)).toEqual({
      objects: 3,
      images: 1,
      blobs: 1,
      bytes: { documents: bytes.length, store: bytes.length, difference: 0 },
      problems: [],
      unsettled: [],
    });
  });

  it('says what is wrong, and whether it was put right; strictly speaking that is not right either', async () => {
    const recorded = await damage();
    const found = await check([]);
    expect([found.status, found.stdout]).toEqual([1, expect.stringContaining(`${line(recorded)}\n`)]);
    expect(found.stdout).toContain('1 problems, 0 repaired\n');
    const strict = await check(['--repair', '--strict']);
    expect([strict.status, strict.stdout]).toEqual([
      1,
      expect.stringContaining(`${line(recorded)} (repaired)\n`),
    ]);
    await damage();
    const mended = await check(['--repair', '--json']);
    expect([mended.status, JSON.parse(mended.stdout)]).toEqual([
      0,
      expect.objectContaining({
        problems: [{ kind: 'container_size', name: PLACE, recorded, counted: bytes.length, repaired: true }],
      }),
    ]);
    expect((await check(['--strict'])).stdout).toBe(CLEAN());
  });

  it('works on database and blobs of a stopped instance, and only then', async () => {
    const busy = await check(['--offline']);
    expect([busy.status, busy.stderr]).toEqual([1, expect.stringContaining('Leave --offline out')]);
    const recorded = await damage();
    await rm(path('home/test.token'));
    await app.stop();
    try {
      expect((await check(['--offline'])).stdout).toContain('1 problems, 0 repaired');
      expect((await check(['--offline', '--repair'])).stdout).toContain(`${line(recorded)} (repaired)`);
      expect((await check(['--offline', '--rehash'])).stdout).toBe(CLEAN(`, ${bytes.length} bytes hashed`));
      const hash = hashOf(bytes).slice(7);
      const blob = path(`home/data/library/blobs/sha256/${hash.slice(0, 2)}/${hash}`);
      await writeFile(blob, Buffer.alloc(bytes.length));
      const rotten = await check(['--offline', '--rehash']);
      expect([rotten.status, rotten.stdout]).toEqual([1, expect.stringContaining('has damaged bytes')]);
      await writeFile(blob, bytes);
      expect((await check(['--offline', '--rehash'])).status).toBe(0);
      const empty = await check(['--offline'], { env: { SCS_HOME: path('nothing') } });
      expect(empty.stderr).toContain('There is no database of the library');
    } finally {
      app = await start();
      await announce(path('home'), app, admin);
    }
    expect((await check([])).stdout).toBe(CLEAN());
    const entries = await waitForEntries(app, admin, 'action=library.repair', 3);
    expect(entries.map(({ actor }) => actor?.username)).toEqual([undefined, 'root', 'root']);
  });
});
