import Database from 'better-sqlite3';
import { readFileSync, writeFileSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AuthModule } from '#apps/auth/src/auth.module';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { LibraryModule } from '#apps/library/src/library.module';
import { scs } from '#apps/scs/src/program';
import { WebModule } from '#apps/web/src/web.module';
import { run } from '#libs/cli';
import type { AuditEntry } from '#libs/contract';
import { type StartedApp, startApp } from '../../support/app.js';
import { waitForEntries } from '../../support/audit.js';
import { temporaryFolder } from '../../support/temporary.js';
import { StockClient, testImage } from '../library/world.js';

const BOTH = 'library,keystore';
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let app: StartedApp;
let home: string;
let admin: string;
let running = true;

beforeAll(async () => {
  folder = await temporaryFolder();
  home = join(folder.path, 'home');
  app = await startApp({
    modules: [AuthModule, WebModule, LibraryModule, KeystoreModule],
    home,
    env: { SCS_SERVICES: 'auth,web,library,keystore', SCS_BUILDER_URL: 'https://localhost:1' },
  });
  admin = (await readFile(join(home, 'admin.token'), 'utf8')).trim();
  await writeFile(
    join(home, 'endpoint.json'),
    JSON.stringify({
      url: app.url,
      caFile: app.config.tls.caFile,
      tokenFile: join(home, 'admin.token'),
      username: 'admin',
      pid: process.pid,
      version: app.config.version,
    }),
  );
  const client = new StockClient(app, admin);
  for (const tag of ['1', '2']) await client.push('admin/tools/blast', await testImage(), { tags: [tag] });
  await client.send('POST', '/v1/images', { hash: `sha256.${'a'.repeat(64)}`, container: 'a'.repeat(24) });
  await app.request('/pks/add', { method: 'POST', token: admin, body: 'keytext=nonsense' });
  await waitForEntries(app, admin, 'service=library', 8);
  await waitForEntries(app, admin, 'service=keystore', 1);
  await vi.waitFor(async () => {
    for (const [service, last] of [
      ['library', 8],
      ['keystore', 1],
    ] as const) {
      const { body } = await app.request(`/v1/audit/heads?newest=true&service=${service}`, { token: admin });
      if (body.data.heads[0]?.sequence !== last) throw new Error('The last entry is not signed yet');
    }
  }, 10_000);
});
afterAll(async () => {
  if (running) await app.stop();
  await folder.remove();
});

const call = (...words: string[]) => run(scs, ['audit', ...words], { env: { SCS_HOME: home } });
const listed = async (...words: string[]): Promise<AuditEntry[]> => {
  const { status, stdout, stderr } = await call('list', '--service', BOTH, '--json', ...words);
  if (status !== 0) throw new Error(stderr);
  return (JSON.parse(stdout) as { entries: AuditEntry[] }).entries;
};

/** What is the same for an instance that runs and for one that is stopped. */
function reading(...how: string[]): void {
  it('list shows the newest first, as many as are asked for, of every service', async () => {
    const all = await listed(...how);
    expect(all).toHaveLength(9);
    expect(all[0]).toMatchObject({ service: 'keystore', action: 'key.add', outcome: 'refused' });
    expect((await listed('--limit', '3', ...how)).map(({ sequence }) => sequence)).toEqual([1, 8, 7]);
    const { stdout } = await call('list', '--service', BOTH, '--limit', '2', ...how);
    expect(stdout).toMatch(/^TIME +SERVICE +ACTION +OUTCOME +BY +SUBJECT +FROM\n/);
    expect(stdout).toMatch(
      /^\d{4}-\d\d-\d\dT\S+Z  library   image\.push  refused: container_not_found +admin +\/v1\/images +127\.0\.0\.1$/m,
    );
  });

  it('list takes filters', async () => {
    expect(await listed('--outcome', 'refused', ...how)).toHaveLength(2);
    expect(await listed('--action', 'tag.set', ...how)).toHaveLength(2);
    expect(await listed('--subject', 'admin/tools/blast:2', ...how)).toHaveLength(1);
    expect(await listed('--actor', 'nobody', ...how)).toEqual([]);
    expect(await listed('--since', '1h', ...how)).toHaveLength(9);
    expect(await listed('--until', '2020-01-01', ...how)).toEqual([]);
    for (const [flag, value, words] of [
      ['--since', 'soon', 'Expected a time such as 7d'],
      ['--action', 'image.pull', 'image.push'],
      ['--service', 'web', 'Expected auth, keystore, library, builder'],
    ] as const) {
      const { status, stderr } = await call('list', flag, value, ...how);
      expect([status, stderr]).toEqual([1, expect.stringContaining(words)]);
    }
  });

  it('export gives every entry as a line, heads the newest of each service', async () => {
    const lines = (await call('export', '--service', BOTH, ...how)).stdout.trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as AuditEntry);
    expect(entries.map(({ service, sequence }) => `${service} ${sequence}`)).toEqual([
      'keystore 1',
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => `library ${n}`),
    ]);
    expect((await call('export', '--service', 'library', '--after', '6', ...how)).stdout.split('\n')).toEqual(
      [lines[7], lines[8], ''],
    );
    const json = async (...words: string[]) =>
      JSON.parse((await call(...words, '--json', '--service', BOTH, ...how)).stdout) as Record<
        string,
        object[]
      >;
    expect(await json('export')).toEqual({ entries });
    expect(await json('export', '--after', '99')).toEqual({ entries: [] });
    expect((await json('heads'))['heads']).toHaveLength(2);
    const heads = (await call('heads', '--service', BOTH, ...how)).stdout.trim().split('\n');
    expect(heads.map((line) => JSON.parse(line) as object)).toMatchObject([
      { service: 'keystore', sequence: 1, hash: entries[0]?.hash, signed: expect.stringMatching(/^eyJ/) },
      { service: 'library', sequence: 8, hash: entries[8]?.hash },
    ]);
  });

  it('verify finds nothing in what nobody has changed, and compares heads that were kept', async () => {
    const { status, stdout } = await call('verify', '--service', BOTH, ...how);
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(
        /^keystore: 1 entry, 1 signed head: nothing was changed\nlibrary: 8 entries, \d signed heads?: nothing was changed\n$/,
      ),
    ]);
    const kept = join(folder.path, 'kept.jsonl');
    writeFileSync(kept, (await call('heads', '--all', '--service', BOTH, ...how)).stdout);
    expect((await call('verify', '--service', BOTH, '--heads', kept, ...how)).status).toBe(0);
    writeFileSync(kept, readFileSync(kept, 'utf8').replace('"hash":"', '"hash":"0'));
    const changed = await call('verify', '--service', BOTH, '--heads', kept, ...how);
    expect([changed.status, changed.stdout]).toEqual([
      1,
      expect.stringContaining('The copy in line 1 was changed'),
    ]);
    writeFileSync(kept, 'no head\n');
    expect((await call('verify', '--heads', kept, ...how)).stderr).toContain('is no head of scs audit heads');
  });
}

describe('scs audit with an instance that runs', () => {
  reading();

  it('says which service does not answer, and does not take its silence for a good sign', async () => {
    const list = await call('list', '--service', 'builder,keystore');
    expect([list.status, list.stderr]).toEqual([
      1,
      expect.stringContaining('The trail of builder cannot be read'),
    ]);
    expect(list.stdout).toContain('key.add');
    const verify = await call('verify', '--service', 'builder', '--json');
    expect(verify.status).toBe(1);
    expect(JSON.parse(verify.stdout).trails[0].problems).toMatchObject([{ kind: 'unreadable' }]);
  });

  it('is not read behind the back of the instance', async () => {
    const { status, stderr } = await call('list', '--offline', '--service', 'library');
    expect([status, stderr]).toEqual([1, expect.stringContaining('Leave --offline out')]);
  });
});

describe('scs audit with an instance that is stopped', () => {
  beforeAll(async () => {
    await app.stop();
    running = false;
  });

  reading('--offline');

  it.each([
    [
      'an edit',
      `UPDATE audit SET value = json_set(value, '$.username', 'eve') WHERE id LIKE '%3'`,
      'Entry 3 was changed',
    ],
    ['a gap', `DELETE FROM audit WHERE id LIKE '%4' OR id LIKE '%5'`, 'Entries 4 to 5 are missing'],
    ['a cut end', `DELETE FROM audit WHERE id LIKE '%8'`, 'The end is missing: the trail ends at 7'],
    [
      'a fork',
      `UPDATE audit SET value = json_set(value, '$.previous', '${'f'.repeat(64)}') WHERE id LIKE '%6'`,
      'Entry 6 was changed',
    ],
  ])('verify finds %s that somebody made in the database file', async (_, sql, found) => {
    const file = join(home, 'data', 'library', 'library.sqlite');
    const copy = join(folder.path, 'library.sqlite');
    await cp(file, copy);
    const database = new Database(file);
    database.exec(sql);
    database.close();
    const { status, stdout } = await call('verify', '--offline', '--service', BOTH);
    for (const end of ['', '-wal', '-shm']) await rm(`${file}${end}`, { force: true });
    await cp(copy, file);
    expect([status, stdout]).toEqual([1, expect.stringContaining(found)]);
    expect(stdout).toContain('library: NOT AS IT WAS WRITTEN');
    expect(stdout).toContain('keystore: 1 entry');
    expect((await call('verify', '--offline', '--service', BOTH)).status).toBe(0);
  });

  it('says where it looked for a database that is not there, and makes none', async () => {
    const elsewhere = join(folder.path, 'elsewhere');
    const result = await run(scs, ['audit', 'list', '--offline', '--service', 'library'], {
      env: { SCS_HOME: elsewhere },
    });
    expect([result.status, result.stderr]).toEqual([
      1,
      expect.stringContaining(`There is no database of library: ${elsewhere}/data/library/library.sqlite`),
    ]);
    expect(() => readFileSync(elsewhere)).toThrow('ENOENT');
  });
});
