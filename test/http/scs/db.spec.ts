import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Document } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuthModule } from '#apps/auth/src/auth.module';
import { scs } from '#apps/scs/src/program';
import { run, type RunOptions } from '#libs/cli';
import { startApp } from '../../support/app.js';
import { type FakeMongo, startFakeMongo } from '../../support/fake-mongo.js';
import { type FakeUser, withUsers } from '../../support/fake-mongo-users.js';
import { lackingMongo, startFerretDb } from '../../support/ferretdb.js';
import { skipped } from '../../support/needs.js';
import { temporaryFolder } from '../../support/temporary.js';

const SERVICES = ['auth', 'keystore', 'library', 'builder'];
const ROLE = (db: string) => [{ role: 'readWrite', db }];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let home: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  home = join(folder.path, 'home');
});
afterEach(() => folder.remove());

const call = (words: string[], options: RunOptions = {}) =>
  run(scs, ['db', 'init', ...words], { ...options, env: { SCS_HOME: home, ...options.env } });
const addressIn = (service: string): Promise<string> =>
  readFile(join(home, 'database', `${service}.url`), 'utf8');

/** A file with the address of the administrator. */
async function adminFile(url: string): Promise<string> {
  const file = join(folder.path, 'admin.url');
  await writeFile(file, `${url}\n`, { mode: 0o600 });
  return file;
}

describe('scs db init, on what a MongoDB would be asked', () => {
  let fake: FakeMongo;
  let users: Map<string, FakeUser>;
  const sent = (name: string): Document[] => fake.commands.filter((command) => name in command);
  async function start(options: Parameters<typeof withUsers>[1] = {}): Promise<string> {
    users = new Map();
    fake = await startFakeMongo({ replicaSet: 'rs', answer: withUsers(users, options) });
    return adminFile(fake.url('?replicaSet=rs'));
  }
  afterEach(() => fake.close());

  it('makes a user for each service with rights on its own database alone, and signs in as each', async () => {
    const { status, stdout, stderr } = await call(['--admin-url-file', await start()]);
    expect([status, stderr]).toEqual([0, expect.stringContaining('auth: user scs_auth made')]);
    expect([...users.keys()]).toEqual(SERVICES.map((name) => `scs_${name}.scs_${name}`));
    for (const command of sent('createUser')) {
      const name = String(command['createUser']);
      expect(command).toMatchObject({ $db: name, roles: ROLE(name), writeConcern: { w: 'majority' } });
    }
    // Each has written into its own database, which is there from then on, and was turned away by another one.
    expect(sent('update').map(({ $db, update }) => [$db, update])).toEqual(
      SERVICES.map((name) => [`scs_${name}`, 'scs_init']),
    );
    expect(stdout).toBe(
      SERVICES.map(
        (name) => `SCS_${name.toUpperCase()}_DATABASE_URL_FILE=${join(home, 'database', `${name}.url`)}\n`,
      ).join(''),
    );
  });

  it('keeps each password in a file for its owner alone, and nowhere else', async () => {
    const { stdout, stderr } = await call(['--admin-url-file', await start(), '--json']);
    expect((await stat(join(home, 'database'))).mode & 0o777).toBe(0o700);
    expect((await readdir(join(home, 'database'))).sort()).toEqual(
      SERVICES.map((name) => `${name}.url`).sort(),
    );
    for (const name of SERVICES) {
      expect((await stat(join(home, 'database', `${name}.url`))).mode & 0o777).toBe(0o600);
      const password = users.get(`scs_${name}.scs_${name}`)?.password ?? '';
      expect(password).toMatch(/^[\w-]{43}$/);
      const socket = fake.url('').slice('mongodb://'.length, -1);
      expect(await addressIn(name)).toBe(
        `mongodb://scs_${name}:${password}@${socket}/scs_${name}?replicaSet=rs\n`,
      );
      expect(stdout + stderr).not.toContain(password);
    }
    expect(JSON.parse(stdout)).toEqual({
      databases: SERVICES.map((service) => ({
        service,
        database: `scs_${service}`,
        user: `scs_${service}`,
        change: 'create',
        line: expect.stringContaining('createUser') as string,
        file: join(home, 'database', `${service}.url`),
      })),
    });
  });

  it('changes no password when it runs again, and gives back rights that were lost', async () => {
    const admin = await start();
    await call(['--admin-url-file', admin]);
    const before = new Map(users);
    users.set('scs_auth.scs_auth', { password: 'another', roles: [] });
    const { status, stderr } = await call(['--admin-url-file', admin]);
    expect([status, stderr]).toEqual([0, expect.stringContaining('auth: user scs_auth brought up to date')]);
    expect(users).toEqual(before);
    expect(sent('createUser')).toHaveLength(4);
    expect(sent('updateUser')).toHaveLength(4);
  });

  it('takes addresses from settings and files that are there, with their names and passwords', async () => {
    const admin = await start();
    await mkdir(join(home, 'database'), { recursive: true });
    const socket = fake.url('').slice('mongodb://'.length, -1);
    const given = `mongodb://keys:p%40ss@${socket}/site_keystore?replicaSet=rs`;
    await writeFile(join(home, 'database/keystore.url'), given);
    const { status, stderr } = await call(['--admin-url-file', admin, '--service', 'auth,keystore'], {
      env: { SCS_AUTH_DATABASE_URL: `mongodb://ann:secret@${socket}/accounts_auth?authSource=people` },
    });
    expect([status, stderr]).toEqual([0, expect.stringContaining('its address is in SCS_AUTH_DATABASE_URL')]);
    expect(users).toEqual(
      new Map([
        ['people.ann', { password: 'secret', roles: ROLE('accounts_auth') }],
        ['site_keystore.keys', { password: 'p@ss', roles: ROLE('site_keystore') }],
      ]),
    );
    expect(await readdir(join(home, 'database'))).toEqual(['keystore.url']);
    expect(await addressIn('keystore')).toBe(given);
  });

  it('with --dry-run prints what to type into mongosh, asks only, and writes nothing', async () => {
    const admin = await start();
    users.set('lab_auth.lab_auth', { password: 'x', roles: [] });
    const { status, stdout } = await call(['--admin-url-file', admin, '--dry-run', '--prefix', 'lab']);
    expect(status).toBe(0);
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      'db.getSiblingDB("lab_auth").updateUser("lab_auth", { pwd: passwordPrompt(), roles: [{ role: "readWrite", db: "lab_auth" }] })',
      'db.getSiblingDB("lab_keystore").createUser({ user: "lab_keystore", pwd: passwordPrompt(), roles: [{ role: "readWrite", db: "lab_keystore" }] })',
    ]);
    const names = fake.commands.map((command) => Object.keys(command)[0]);
    expect(names.filter((name) => name !== 'endSessions')).toEqual(SERVICES.map(() => 'usersInfo'));
    await expect(stat(home)).rejects.toThrow('ENOENT');
  });

  it('fails where the server checks no rights', async () => {
    const { status, stderr } = await call(['--admin-url-file', await start({ checksRights: false })]);
    expect(status).toBe(1);
    expect(stderr).toContain('The user scs_auth may also see the database scs_keystore');
    expect(stderr).toContain('security.authorization: enabled');
  });

  it('says that the administrator may not make users, or is not let in', async () => {
    const admin = await start();
    users.set('admin.root', { password: 'right', roles: [{ role: 'read', db: 'admin' }] });
    const as = (password: string): Promise<string> =>
      adminFile(fake.url('?authSource=admin').replace('//', `//root:${password}@`));
    const weak = await call(['--admin-url-file', await as('right')]);
    expect([weak.status, weak.stderr]).toEqual([
      1,
      expect.stringMatching(/administrator of the database may not make users.*[^]*userAdminAnyDatabase/),
    ]);
    const wrong = await call(['--admin-url-file', await as('wrong')]);
    expect(wrong.stderr).toMatch(
      /does not accept the user or the password[^]*in the address of the administrator/,
    );
    expect(wrong.stderr).not.toContain('wrong@');
    expect(admin).toBeDefined();
  });
});

describe('scs db init, without a server', () => {
  it('prints with --dry-run what a new site needs', async () => {
    const { status, stdout, stderr } = await call(['--dry-run']);
    expect([status, stdout.trim().split('\n').length]).toEqual([0, 4]);
    expect(stdout).toContain('db.getSiblingDB("scs_builder").createUser(');
    expect(stderr).toContain('Nothing was changed');
  });

  it.each([
    [[], 'Expected the address of an administrator'],
    [['--service', 'web', '--dry-run'], 'Expected auth, keystore, library, builder for --service, got "web"'],
    [['--prefix', 'A.b', '--dry-run'], 'for --prefix'],
  ])('%j is refused: %s', async (words, sentence) => {
    const { status, stderr } = await call(words);
    expect([status, stderr]).toEqual([1, expect.stringContaining(sentence)]);
  });

  it('refuses an administrator without TLS, and one that is no MongoDB', async () => {
    const plain = await call(['--admin-url-file', await adminFile('mongodb://root:hunter2@db.example.org/')]);
    expect([plain.status, plain.stderr]).toEqual([1, expect.stringContaining('would be asked without TLS')]);
    const sqlite = await call(['--admin-url-file', await adminFile('sqlite:/srv/db')]);
    expect(sqlite.stderr).toContain('Expected a mongodb:// address in the first line');
    expect(plain.stderr).not.toContain('hunter2');
  });
});

const reason = lackingMongo();

describe.skipIf(reason)(`scs db init, on the stand-in for MongoDB${skipped(reason)}`, () => {
  it('makes users that services then start with', async () => {
    const server = await startFerretDb();
    const made = await call(['--admin-url-file', await adminFile(server.url())]);
    expect([made.status, made.stderr]).toEqual([0, expect.stringContaining('auth: user scs_auth made')]);
    const again = await call(['--admin-url-file', '-'], { stdin: server.url() });
    expect([again.status, again.stderr]).toEqual([0, expect.stringContaining('brought up to date')]);
    const settings = Object.fromEntries(
      again.stdout
        .trim()
        .split('\n')
        .map((line) => line.split('=', 2) as [string, string]),
    );
    const app = await startApp({ modules: [AuthModule], env: { SCS_SERVICES: 'auth', ...settings } });
    expect(app.config.databaseUrl('auth')).toMatch(/^mongodb:\/\/scs_auth:[\w-]+@/);
    expect((await app.request('/readyz')).status).toBe(200);
    await app.stop();
    await server.stop();
  });
});
