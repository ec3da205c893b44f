import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthModule } from '#apps/auth/src/auth.module';
import { scs } from '#apps/scs/src/program';
import { WebModule } from '#apps/web/src/web.module';
import { noPrompts, run, type RunOptions } from '#libs/cli';
import { TokenUses } from '#libs/server';
import { type StartedApp, startApp } from '../../support/app.js';

let app: StartedApp;
beforeAll(async () => {
  const elsewhere = 'https://localhost:1';
  app = await startApp({
    modules: [AuthModule, WebModule],
    env: {
      SCS_SERVICES: 'auth,web',
      SCS_KEYSTORE_URL: elsewhere,
      SCS_LIBRARY_URL: elsewhere,
      SCS_BUILDER_URL: elsewhere,
    },
  });
  await writeFile(
    join(app.home, 'endpoint.json'),
    JSON.stringify({
      url: app.url,
      caFile: app.config.tls.caFile,
      tokenFile: join(app.home, 'admin.token'),
      username: 'admin',
      pid: process.pid,
      version: app.config.version,
    }),
  );
});
afterAll(() => app.stop());

const call = (argv: string[], options: RunOptions = {}) =>
  run(scs, argv, { ...options, env: { SCS_HOME: app.home, ...options.env } });
const json = async (argv: string[], options: RunOptions = {}) => {
  const { status, stdout, stderr } = await call(argv, options);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
};

describe('scs token', () => {
  test('create prints the token alone, and it works until it is revoked', async () => {
    const { status, stdout, stderr } = await call([
      'token',
      'create',
      '--name',
      'ci',
      '--scope',
      'build,library:read',
    ]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^[\w.-]{200,4096}\n$/);
    expect(stderr).not.toContain(stdout.trim());
    const token = stdout.trim();
    const answer = await app.request('/v1/token-status', { token });
    expect(answer.body.data.scopes).toEqual(['build', 'library:read']);
    const { tokens } = await json(['token', 'list', '--json']);
    expect(tokens[0]).toMatchObject({ name: 'ci', username: 'admin', revokedAt: null });
    expect(JSON.stringify(tokens)).not.toContain('eyJ');
    expect((await call(['token', 'revoke', tokens[0].id])).status).toBe(0);
    expect((await app.request('/v1/token-status', { token })).status).toBe(404);
    expect((await call(['token', 'list'])).stdout).toMatch(/ci +revoked/);
  });

  test('create keeps to the lifetime', async () => {
    const { tokens } = await json(['token', 'create', '--scope', 'build', '--lifetime', '2h', '--json']);
    const lifetime = Date.parse(tokens[0].expiresAt) - Date.parse(tokens[0].createdAt);
    expect(7_200_000 - lifetime).toBeGreaterThanOrEqual(0);
    expect(7_200_000 - lifetime).toBeLessThan(1000);
    const wrong = await call(['token', 'create', '--lifetime', 'forever']);
    expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining('Expected a time such as 90d')]);
  });

  test('list shows when and from where a token was used', async () => {
    const { tokens } = await json(['token', 'create', '--name', 'used', '--scope', 'build', '--json']);
    const row = async () =>
      (await call(['token', 'list'])).stdout.split('\n').find((line) => / used /.test(line));
    expect(await row()).toMatch(/ valid +\S+ +never +build$/);
    const headers = { 'user-agent': 'singularity/3.3 (linux amd64)' };
    await app.request('/v1/rbac/users/current', { token: tokens[0].token, headers });
    await app.get(TokenUses).flush();
    expect(await row()).toMatch(/ 20\S+Z +127\.0\.0\.1 +singularity\/3\.3 +build$/);
    const listed = await json(['token', 'list', '--json']);
    expect(listed.tokens.find((one: { name: string }) => one.name === 'used').lastUsed).toMatchObject({
      address: '127.0.0.1',
      client: 'singularity/3.3 (linux amd64)',
    });
  });

  test('what the service refuses is said in its words', async () => {
    const wrong = await call(['token', 'create', '--scope', 'everything']);
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toContain('Expected a scope (library:read');
    const missing = await call(['token', 'revoke', '--json', 'a'.repeat(24)]);
    expect(JSON.parse(missing.stderr).error).toMatchObject({
      code: 'not_found',
      message: 'There is no such token',
    });
  });
});

describe('scs signing-key', () => {
  test('retire asks first', async () => {
    const asked: string[] = [];
    const confirm = async ({ message }: { message: string }) => asked.push(message) === 0;
    const { status, stderr } = await call(['signing-key', 'retire'], { prompts: { ...noPrompts, confirm } });
    expect([status, stderr]).toEqual([0, expect.stringContaining('Nothing was changed')]);
    expect(asked).toEqual([expect.stringContaining('Every token of this instance ends')]);
    expect((await call(['signing-key', 'retire'])).stderr).toContain('--force');
    expect((await call(['token', 'list'])).status).toBe(0);
  });
});

test('where auth runs without a front end, commands work with it', async () => {
  const alone = await startApp({ modules: [AuthModule], env: { SCS_SERVICES: 'auth' } });
  try {
    const endpoint = {
      url: alone.url,
      caFile: alone.config.tls.caFile,
      tokenFile: join(alone.home, 'admin.token'),
      username: 'admin',
      pid: process.pid,
      version: alone.config.version,
    };
    await writeFile(join(alone.home, 'endpoint.json'), JSON.stringify(endpoint));
    const here = (argv: string[]) => run(scs, argv, { env: { SCS_HOME: alone.home } });
    expect((await here(['user', 'list'])).stdout).toContain('admin');
    expect(JSON.parse((await here(['status', '--json'])).stdout).services).toMatchObject([
      { name: 'token', url: alone.url, ready: true },
    ]);
  } finally {
    await alone.stop();
  }
});

describe('scs user', () => {
  test('add takes the password from standard input, and the user makes a token with it', async () => {
    const stdin = 'a good password\n';
    const added = await json(
      ['user', 'add', '--email', 'ann@example.com', '--password-stdin', '--json', 'ann'],
      { stdin },
    );
    expect(added.users[0]).toMatchObject({ username: 'ann', email: 'ann@example.com', administrator: false });
    const made = await call(['token', 'create', '--as', 'ann', '--scope', 'build', '--password-stdin'], {
      stdin,
    });
    expect(made.status).toBe(0);
    const who = await app.request('/v1/rbac/users/current', { token: made.stdout.trim() });
    expect(who.body.username).toBe('ann');
    const wrong = await call(['token', 'list', '--as', 'ann', '--password-stdin'], {
      stdin: 'something else\n',
    });
    expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining('password is wrong')]);
  });

  test('add takes the password from a file that the environment names', async () => {
    const file = join(app.home, 'bob.password');
    await writeFile(file, 'another good one\n', { mode: 0o600 });
    expect((await call(['user', 'add', 'bob'], { env: { SCS_PASSWORD_FILE: file } })).status).toBe(0);
    const listed = await json(['token', 'list', '--as', 'bob', '--password-file', file, '--json']);
    expect(listed.tokens).toEqual([]);
  });

  test('add asks at a terminal, and without one names the flags', async () => {
    const asked: string[] = [];
    const prompts = {
      ...noPrompts,
      password: async ({ message }: { message: string }) => {
        asked.push(message);
        return 'typed at the terminal';
      },
    };
    expect((await call(['user', 'add', 'cleo'], { prompts })).status).toBe(0);
    expect(asked).toEqual(['Password for cleo']);
    const silent = await call(['user', 'add', 'dora']);
    expect([silent.status, silent.stderr]).toEqual([
      1,
      expect.stringContaining('--password-file or --password-stdin'),
    ]);
  });

  test('add --generate prints the password alone', async () => {
    const { stdout } = await call(['user', 'add', '--generate', 'emil']);
    expect(stdout).toMatch(/^[\w-]{24}\n$/);
    expect(
      (await call(['token', 'create', '--as', 'emil', '--password-stdin'], { stdin: stdout })).status,
    ).toBe(0);
  });

  test('disable ends a user’s tokens, enable gives them back, and list shows it', async () => {
    await call(['user', 'add', '--password-stdin', 'finn'], { stdin: 'a good password' });
    const { tokens } = await json(['token', 'create', '--user', 'finn', '--scope', 'build', '--json']);
    const state = async () => (await app.request('/v1/token-status', { token: tokens[0].token })).status;
    expect((await call(['user', 'disable', 'finn'])).status).toBe(0);
    expect(await state()).toBe(404);
    const { users } = await json(['user', 'list', '--json']);
    expect(users.find((user: { username: string }) => user.username === 'finn').disabled).toBe(true);
    expect((await call(['user', 'enable', 'finn'])).status).toBe(0);
    expect(await state()).toBe(200);
  });

  test('show, change and passwd, as the administrator and by the own password', async () => {
    const word = 'a good password';
    await call(['user', 'add', '--password-stdin', 'gina'], { stdin: word });
    const changed = await json([
      'user',
      'change',
      '--email',
      'gina@example.org',
      '--administrator',
      'yes',
      '--json',
      'gina',
    ]);
    expect(changed.users[0]).toMatchObject({ email: 'gina@example.org', administrator: true });
    await call(['user', 'change', '--administrator', 'no', 'gina']);
    const own = ['--as', 'gina', '--password-stdin'];
    expect(
      (await call(['user', 'change', ...own, '--display-name', 'Gina', 'gina'], { stdin: word })).status,
    ).toBe(0);
    const refused = await call(['user', 'change', ...own, '--administrator', 'yes', 'gina'], { stdin: word });
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('lacks the scope admin')]);
    const shown = await call(['user', 'show', ...own, 'gina'], { stdin: word });
    expect(shown.stdout).toMatch(/^Display name: +Gina$/m);
    expect(shown.stdout).toMatch(/^Administrator: +no$/m);
    expect(shown.stdout).toMatch(/^Organisations: +-$/m);
    const nothing = await call(['user', 'change', 'gina']);
    expect([nothing.status, nothing.stderr]).toEqual([1, expect.stringContaining('--display-name')]);

    const { tokens } = await json(['token', 'create', '--user', 'gina', '--scope', 'build', '--json']);
    const state = async () => (await app.request('/v1/token-status', { token: tokens[0].token })).status;
    const old = join(app.home, 'gina.password');
    await writeFile(old, `${word}\n`, { mode: 0o600 });
    const mine = await call(
      ['user', 'passwd', '--as', 'gina', '--old-password-file', old, '--password-stdin', 'gina'],
      { stdin: 'a second password' },
    );
    expect([mine.status, await state()]).toEqual([0, 200]);
    const reset = await json(['user', 'passwd', '--generate', '--json', 'gina']);
    expect(await state()).toBe(404);
    const list = await call(['token', 'list', ...own], { stdin: reset.users[0].password });
    expect(list.status).toBe(0);
    const both = await call(['user', 'passwd', '--generate', '--revoke-tokens', '--keep-tokens', 'gina']);
    expect([both.status, both.stderr]).toEqual([1, expect.stringContaining('got both')]);
    expect((await call(['user', 'passwd', '--generate', '--keep-tokens', 'gina'])).stderr).not.toContain(
      'ended',
    );
  });

  test('passwords are in no log', async () => {
    const log = await readFile(join(app.home, 'log', 'test.log'), 'utf8');
    expect((await stat(join(app.home, 'log', 'test.log'))).size).toBeGreaterThan(100);
    for (const secret of [
      'a good password',
      'a second password',
      'another good one',
      'typed at the terminal',
      'eyJ',
    ])
      expect(log).not.toContain(secret);
  });
});

describe('scs org and scs robot', () => {
  const stdin = 'a good password';
  const asOwner = ['--as', 'olga', '--password-stdin'];
  beforeAll(async () => {
    for (const name of ['olga', 'max']) await call(['user', 'add', '--password-stdin', name], { stdin });
  });

  test('make, show, list and change organisations', async () => {
    const lacking = await call(['org', 'add', 'physics']);
    expect([lacking.status, lacking.stderr]).toEqual([1, expect.stringContaining('--owner alice')]);
    const made = await json([
      'org',
      'add',
      '--owner',
      'olga',
      '--display-name',
      'Physics',
      '--json',
      'physics',
    ]);
    expect(made.organisations[0]).toMatchObject({ name: 'physics', displayName: 'Physics', members: 1 });
    const mine = await json(['org', 'list', ...asOwner, '--json'], { stdin });
    expect(mine.organisations).toMatchObject([{ name: 'physics', role: 'owner' }]);
    expect((await call(['org', 'list'])).stdout).toMatch(/^physics +Physics +1 /m);
    await call(['org', 'change', ...asOwner, '--display-name', 'All of physics', 'physics'], { stdin });
    expect((await call(['org', 'show', 'physics'])).stdout).toMatch(/^Display name: +All of physics$/m);
    const refused = await call(['org', 'change', ...asOwner, '--disabled', 'yes', 'physics'], { stdin });
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('lacks the scope admin')]);
    expect(
      (await json(['org', 'change', '--disabled', 'yes', '--json', 'physics'])).organisations[0].disabled,
    ).toBe(true);
    expect((await call(['org', 'change', '--disabled', 'no', 'physics'])).status).toBe(0);
  });

  test('manage members, as an owner too', async () => {
    const { members } = await json(
      ['org', 'member', 'add', ...asOwner, '--role', 'writer', '--json', 'physics', 'max'],
      { stdin },
    );
    expect(members[0]).toMatchObject({ username: 'max', role: 'writer' });
    expect((await call(['user', 'show', 'max'])).stdout).toMatch(/^Organisations: +physics \(writer\)$/m);
    expect((await call(['org', 'member', 'list', 'physics'])).stdout).toMatch(/^max +writer +20/m);
    const listed = await json(['org', 'member', 'list', ...asOwner, '--json', 'physics'], { stdin });
    expect(listed.members.map((one: { username: string }) => one.username)).toEqual(['max', 'olga']);
    expect((await call(['org', 'member', 'remove', 'physics', 'max'])).status).toBe(0);
    const last = await call(['org', 'member', 'remove', 'physics', 'olga']);
    expect([last.status, last.stderr]).toEqual([1, expect.stringContaining('name another one first')]);
    const wrong = await call(['org', 'member', 'add', '--role', 'king', 'physics', 'max']);
    expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining('owner, writer')]);
  });

  test('make robots, their tokens, and end them', async () => {
    const { robots } = await json(['robot', 'add', ...asOwner, '--json', 'physics.ci'], { stdin });
    expect(robots[0]).toMatchObject({ username: 'physics.ci', role: 'writer', organisation: 'physics' });
    const made = await call(['token', 'create', ...asOwner, '--robot', 'physics.ci', '--scope', 'build'], {
      stdin,
    });
    const token = made.stdout.trim();
    const status = async () => (await app.request('/v1/token-status', { token })).body.data;
    expect(await status()).toMatchObject({ kind: 'robot', organisations: { physics: 'writer' } });
    const { tokens } = await json(['token', 'list', ...asOwner, '--robot', 'physics.ci', '--json'], {
      stdin,
    });
    expect(tokens).toMatchObject([{ username: 'physics.ci', scopes: ['build'] }]);
    await call(['robot', 'change', '--role', 'reader', 'physics.ci']);
    expect(await status()).toMatchObject({ organisations: { physics: 'reader' } });
    expect((await call(['robot', 'list', 'physics'])).stdout).toMatch(/^physics\.ci +physics\.ci +reader/m);
    expect((await call(['robot', 'disable', ...asOwner, 'physics.ci'], { stdin })).status).toBe(0);
    expect(await status()).toBeUndefined();
    expect((await call(['robot', 'enable', 'physics.ci'])).status).toBe(0);
    expect(await status()).toMatchObject({ username: 'physics.ci' });
    const both = await call(['token', 'list', '--robot', 'physics.ci', '--user', 'olga']);
    expect([both.status, both.stderr]).toEqual([1, expect.stringContaining('got both')]);
    const odd = await call(['robot', 'add', 'ci']);
    expect([odd.status, odd.stderr]).toEqual([1, expect.stringContaining('<organisation>.<name>')]);
  });
});

describe('scs', () => {
  test('status names what is there and what is not, and fails then', async () => {
    const { status, stdout } = await call(['status', '--json']);
    const { services } = JSON.parse(stdout);
    expect(status).toBe(1);
    expect(services.find((one: { name: string }) => one.name === 'token')).toMatchObject({
      ready: true,
      problems: [],
    });
    expect(services.find((one: { name: string }) => one.name === 'keystore')).toMatchObject({
      ready: false,
      version: null,
    });
  });

  test('without an instance says how to start one', async () => {
    const { status, stderr } = await call(['token', 'list'], { env: { SCS_HOME: '/nowhere' } });
    expect(status).toBe(1);
    expect(stderr).toContain('No instance runs in /nowhere');
    expect(stderr).toContain('./scripts/up');
  });
});
