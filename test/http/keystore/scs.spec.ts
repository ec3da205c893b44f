import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HANDLES } from '#apps/keystore/src/collections.store';
import { DATABASE, type Database } from '#apps/keystore/src/database.store';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { scs } from '#apps/scs/src/program';
import { WebModule } from '#apps/web/src/web.module';
import { run, type RunOptions, type RunResult } from '#libs/cli';
import { readKeys } from '#libs/pgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitForEntries } from '../../support/audit.js';
import { announce } from '../../support/announce.js';
import { type StartedApp, startApp } from '../../support/app.js';
import { addKey, getKeys, newTestKey, type TestKey } from '../../support/pgp-keys.js';
import { TestAuthority } from '../../support/tokens.js';

/** `scs keys …` against a real keystore. */
let folder: string;
let authority: TestAuthority;
let app: StartedApp;
let admin: string;
let ann: string;
const start = (): Promise<StartedApp> =>
  startApp({
    modules: [KeystoreModule, WebModule, authority.module()],
    home: join(folder, 'home'),
    env: {
      SCS_SERVICES: 'keystore,web',
      ...Object.fromEntries(
        ['AUTH', 'LIBRARY', 'BUILDER'].map((name) => [`SCS_${name}_URL`, 'https://localhost:1']),
      ),
    },
  });
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scs-keys-'));
  await mkdir(path('home'), { mode: 0o700 });
  authority = await TestAuthority.make();
  admin = await authority.token({ username: 'root', administrator: true });
  ann = await authority.token({ username: 'ann' });
  app = await start();
  await announce(path('home'), app, admin);
});
afterAll(async () => {
  // The token of the administrator lies there because this test has put it there.
  await rm(path('home/test.token'), { force: true });
  await app.stop();
  await rm(folder, { recursive: true, force: true });
});

const path = (name: string): string => join(folder, name);
const scsRun = (words: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
  run(scs, words, { cwd: folder, ...options, env: { SCS_HOME: path('home'), ...options.env } });
const ok = async (words: readonly string[], options: RunOptions = {}): Promise<RunResult> => {
  const result = await scsRun(words, options);
  if (result.status !== 0) throw new Error(`scs ${words.join(' ')}: ${result.status}\n${result.stderr}`);
  return result;
};
const json = async <T>(...words: string[]): Promise<T> => JSON.parse((await ok(words)).stdout) as T;
const served = async (keys: readonly TestKey[]): Promise<number> => {
  const found = await Promise.all(keys.map(({ fingerprint }) => getKeys(app, `0x${fingerprint}`)));
  return found.filter((one) => one.length === 1).length;
};
const binary = async (key: TestKey): Promise<Uint8Array> =>
  (await readKeys(key.armored))[0]?.bytes ?? Buffer.alloc(0);
const make = (prefix: string, count: number): Promise<TestKey[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => newTestKey(`${prefix}${index}`)));

interface Imported {
  readonly imported: Record<'inserted' | 'updated' | 'unchanged' | 'refused' | 'skipped', number>;
  readonly refused: readonly { file: string; number: number; fingerprint: string; message: string }[];
}

describe('an import', () => {
  it('takes files and folders, armored and binary, and standard input; the same again changes nothing', async () => {
    const keys = await make('In', 12);
    const [one, two, three] = [keys.slice(0, 4), keys.slice(4, 8), keys.slice(8)];
    await mkdir(path('dump/below'), { recursive: true });
    await writeFile(path('dump/a.asc'), one.map(({ armored }) => armored).join('text between\n'));
    await writeFile(path('dump/below/b.gpg'), Buffer.concat(await Promise.all(two.map(binary))));
    await writeFile(path('dump/.hidden'), 'no key');
    const first = await json<Imported>('keys', 'import', '--json', 'dump');
    expect(first.imported).toEqual({ inserted: 8, updated: 0, unchanged: 0, refused: 0, skipped: 0 });
    const stdin = three.map(({ armored }) => armored).join('');
    const piped = await ok(['keys', 'import', '-', 'dump/a.asc'], { stdin });
    expect(piped.stderr).toContain(
      '4 keys are new, 0 were brought up to date, 4 were there already, 0 were refused',
    );
    expect(await served(keys)).toBe(12);
    expect((await json<Imported>('keys', 'import', '--json', 'dump')).imported).toMatchObject({
      unchanged: 8,
    });
  });

  it('says which keys it refused, and takes the others', async () => {
    const [good, secret] = await make('Mixed', 2);
    if (good === undefined || secret === undefined) throw new Error('no keys');
    await writeFile(path('mixed.asc'), `${secret.secret.armor()}\n${good.armored}`);
    await writeFile(path('cut.gpg'), (await binary(secret)).subarray(0, 50));
    const { status, stdout, stderr } = await scsRun(['keys', 'import', '--json', 'mixed.asc', 'cut.gpg']);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      imported: { inserted: 1, refused: 2 },
      refused: [
        { file: path('mixed.asc'), number: 1, message: 'a secret key: it was not sent anywhere' },
        { file: path('cut.gpg'), number: 1, message: expect.stringContaining('cut off') },
      ],
    });
    expect(stderr).toContain(`${path('mixed.asc')}, key 1: a secret key`);
    expect(await served([good, secret])).toBe(1);
    expect((await scsRun(['keys', 'import', 'nothing.asc'])).stderr).toContain('nothing.asc');
  });

  it('goes on where it was interrupted, and begins anew with a file that has changed', async () => {
    const keys = await make('Cursor', 2);
    // Ten requests; four are under way at a time.
    const MANY = 2000;
    const dump = Array.from({ length: MANY / 2 }, () => keys.map(({ armored }) => armored).join('')).join('');
    await writeFile(path('long.asc'), dump);
    const cut = new AbortController();
    let requests = 0;
    const count = ({ url }: IncomingMessage): void => {
      if (url === '/v1/keys/import') requests += 1;
      if (requests === 9) cut.abort(new Error('interrupted'));
    };
    app.server.http.on('request', count);
    const words = ['keys', 'import', '--json', '--cursor', 'cursor.json', 'long.asc'];
    expect((await scsRun(words, { signal: cut.signal })).status).not.toBe(0);
    app.server.http.off('request', count);
    const { imported } = await json<Imported>(...words);
    expect(imported.skipped % 200).toBe(0);
    expect(imported.skipped).toBeGreaterThan(0);
    expect(imported).toEqual({
      inserted: 0,
      updated: 0,
      unchanged: MANY - imported.skipped,
      refused: 0,
      skipped: imported.skipped,
    });
    expect(await served(keys)).toBe(2);
    expect((await json<Imported>(...words)).imported).toMatchObject({ unchanged: 0, skipped: MANY });
    await writeFile(path('long.asc'), keys.map(({ armored }) => armored).join('changed\n'));
    expect((await json<Imported>(...words)).imported).toMatchObject({ unchanged: 2, skipped: 0 });
    await writeFile(path('cursor.json'), '{"version":2}');
    expect((await scsRun(words)).stderr).toContain('is not what scs keys import --cursor writes');
  });
});

describe('an export', () => {
  it('writes a file, files in a folder, and standard output, which can be imported again', async () => {
    const [key] = await make('Out', 1);
    if (key === undefined) throw new Error('no key');
    await addKey(app, key.armored, ann);
    const { exported } = await json<{ exported: { keys: number } }>('keys', 'export', '--json', 'all.gpg');
    const read = await readKeys(await readFile(path('all.gpg')));
    expect(read).toHaveLength(exported.keys);
    expect(read.map((one) => one.key.getFingerprint())).toContain(key.fingerprint);
    expect((await scsRun(['keys', 'export', 'all.gpg'])).stderr).toContain('already exists');
    await ok(['keys', 'export', '--armor', '--force', 'all.gpg']);
    expect(await readFile(path('all.gpg'), 'utf8')).toMatch(/^-----BEGIN PGP PUBLIC KEY BLOCK-----/);
    await mkdir(path('each'));
    await ok(['keys', 'export', '--armor', 'each']);
    expect(readdirSync(path('each'))).toHaveLength(exported.keys);
    expect(await readFile(path(`each/${key.fingerprint.toUpperCase()}.asc`), 'utf8')).toContain('BEGIN PGP');
    const { keys } = await json<{ keys: { fingerprint: string; armor: string }[] }>(
      'keys',
      'export',
      '--json',
    );
    expect(keys.map(({ fingerprint }) => fingerprint)).toContain(key.fingerprint.toUpperCase());
    const { stdoutBytes } = await ok(['keys', 'export']);
    expect(await readKeys(stdoutBytes)).toHaveLength(exported.keys);
    expect((await json<Imported>('keys', 'import', '--json', 'each')).imported).toMatchObject({
      inserted: 0,
      unchanged: exported.keys,
    });
  });
});

it('blocks keys, lists the blocked ones, and lets them come again', async () => {
  const [key] = await make('Block', 1);
  if (key === undefined) throw new Error('no key');
  await addKey(app, key.armored, ann);
  const fingerprint = key.fingerprint.toUpperCase();
  await ok(['keys', 'block', `0x${key.fingerprint}`]);
  expect(await served([key])).toBe(0);
  expect((await addKey(app, key.armored, ann)).status).toBe(403);
  const { blocked } = await json<{ blocked: object[] }>('keys', 'blocked', '--json', key.fingerprint);
  expect(blocked).toMatchObject([{ fingerprint, hash: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
  expect((await ok(['keys', 'blocked'])).stdout).toContain('HASH');
  await ok(['keys', 'unblock', key.fingerprint]);
  expect((await scsRun(['keys', 'blocked', key.fingerprint])).status).toBe(1);
  expect((await scsRun(['keys', 'unblock', key.fingerprint])).stderr).toContain('not blocked');
  expect((await scsRun(['keys', 'block', '0x1234'])).stderr).toContain('40 or 64 hexadecimal digits');
});

it('lists what expires, of everybody', async () => {
  const key = await newTestKey('Ending', { expiresIn: 3 * 86_400 });
  await addKey(app, key.armored, ann);
  const { keys } = await json<{ keys: object[] }>('keys', 'expiring', '--within', '5', '--json');
  expect(keys).toMatchObject([{ fingerprint: key.fingerprint.toUpperCase(), owner: null }]);
  expect((await ok(['keys', 'expiring'])).stdout).toContain('Ending <ending@example.org>');
});

describe('a check', () => {
  let key: TestKey;
  const damage = (documents: Database): Promise<unknown> =>
    documents.collection(HANDLES).delete(`${key.fingerprint} email/check0@example.org`);

  it('says what is wrong, and puts it right when it is asked to', async () => {
    key = (await make('Check', 1))[0] as TestKey;
    await addKey(app, key.armored, ann);
    expect((await ok(['keys', 'check'])).stdout).toMatch(
      /^\d+ keys, \d+ ways to find them: nothing is wrong\n$/,
    );
    await damage(app.get<Database>(DATABASE));
    const found = await scsRun(['keys', 'check']);
    expect([found.status, found.stdout]).toEqual([
      1,
      expect.stringContaining(`${key.fingerprint.toUpperCase()} is not found by email/check0@example.org\n`),
    ]);
    const repaired = await ok(['keys', 'check', '--repair', '--json']);
    expect(JSON.parse(repaired.stdout)).toMatchObject({
      problems: [{ kind: 'handle_missing', repaired: true }],
    });
    expect((await ok(['keys', 'check'])).stdout).toContain('nothing is wrong');
  });

  it('works on the database of a stopped instance, and only then', async () => {
    const busy = await scsRun(['keys', 'check', '--offline']);
    expect([busy.status, busy.stderr]).toEqual([1, expect.stringContaining('Leave --offline out')]);
    await damage(app.get<Database>(DATABASE));
    await rm(path('home/test.token'));
    await app.stop();
    try {
      expect((await scsRun(['keys', 'check', '--offline'])).stdout).toContain('1 problems, 0 repaired');
      expect((await ok(['keys', 'check', '--offline', '--repair'])).stdout).toContain('(repaired)');
      expect((await ok(['keys', 'check', '--offline'])).stdout).toContain('nothing is wrong');
      const empty = await scsRun(['keys', 'check', '--offline'], { env: { SCS_HOME: path('nothing') } });
      expect(empty.stderr).toContain('There is no database of the keystore');
    } finally {
      app = await start();
      await announce(path('home'), app, admin);
    }
    expect(await getKeys(app, 'check0@example.org')).toHaveLength(1);
    await waitForEntries(app, admin, 'action=key.repair', 2);
  });
});
