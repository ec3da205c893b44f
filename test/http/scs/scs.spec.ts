import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthModule } from '#apps/auth/src/auth.module';
import { scs } from '#apps/scs/src/program';
import { WebModule } from '#apps/web/src/web.module';
import { noPrompts, run, type RunOptions } from '#libs/cli';
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

  test('passwords are in no log', async () => {
    const log = await readFile(join(app.home, 'log', 'test.log'), 'utf8');
    expect((await stat(join(app.home, 'log', 'test.log'))).size).toBeGreaterThan(100);
    for (const secret of ['a good password', 'another good one', 'typed at the terminal', 'eyJ'])
      expect(log).not.toContain(secret);
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
