import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noPrompts } from '#libs/cli';
import { FakeRegistry, refuse } from '../../../../test/support/fake-registry.js';
import { World } from '../testing/world.js';

let world: World;
let registry: FakeRegistry;
let host: string;
const BASIC = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
beforeEach(async () => {
  world = await World.create();
  registry = new FakeRegistry();
  registry.before = (request, response) =>
    request.headers.authorization !== BASIC &&
    refuse(response, 401, 'UNAUTHORIZED', '', { 'www-authenticate': 'Basic realm="x"' });
  host = new URL(await world.serve(registry.handler)).host;
});
afterEach(() => world.close());

const path = () => world.path('.singularity/docker-config.json');
const login = (words: readonly string[], options = {}) =>
  world.run(['registry', 'login', '--no-https', ...words], options);
const piped = (stdin: string) => ({ stdin });
const stored = async () =>
  JSON.parse(await readFile(path(), 'utf8')) as { auths: Record<string, { auth: string }> };

describe('registry login', () => {
  it('asks the registry, and stores the password for nobody else to read', async () => {
    const { status, stderr } = await login(
      ['-u', 'ann', '--password-stdin', `oras://${host}`],
      piped('secret\n'),
    );
    expect([status, stderr]).toEqual([0, expect.stringContaining(`Logged in to ${host}`)]);
    expect(await stored()).toEqual({
      auths: { [host]: { auth: Buffer.from('ann:secret').toString('base64') } },
    });
    expect((await stat(path())).mode & 0o777).toBe(0o600);
    expect((await stat(world.path('.singularity'))).mode & 0o777).toBe(0o700);
    expect(registry.lines).toEqual(['GET /v2/', 'GET /v2/']);
  });

  it('stores no password that the registry does not accept', async () => {
    const { status, stderr } = await login(['-u', 'ann', '-p', 'wrong', `docker://${host}`]);
    expect([status, stderr]).toEqual([
      255,
      expect.stringContaining(`${host} does not accept this name and password`),
    ]);
    await expect(stat(path())).rejects.toMatchObject({ code: 'ENOENT' });
    // One that was there stays.
    await login(['-u', 'ann', '-p', 'secret', `oras://${host}`]);
    const before = await readFile(path(), 'utf8');
    await login(['-u', 'ann', '-p', 'wrong', `oras://${host}`]);
    expect(await readFile(path(), 'utf8')).toBe(before);
  });

  it('asks the person for what is missing', async () => {
    const prompts = {
      ...noPrompts,
      text: () => Promise.resolve('ann'),
      password: () => Promise.resolve('secret'),
    };
    expect((await login([`oras://${host}`], { prompts })).status).toBe(0);
    const { status, stderr } = await login(['-u', 'ann', `oras://${host}`]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('Answer with --password-stdin')]);
  });

  it('says that nothing is known of the password where nobody is asked', async () => {
    registry.before = () => false;
    const { status, stderr } = await login(['-u', 'ann', '-p', 'x', `oras://${host}`]);
    expect([status, stderr]).toEqual([
      0,
      expect.stringContaining('whether the password is right is not known'),
    ]);
  });

  it('leaves everything else in the file as it is', async () => {
    await mkdir(world.path('.singularity'), { mode: 0o700 });
    await writeFile(
      path(),
      JSON.stringify({ auths: { other: { auth: 'eDp5', email: 'x' } }, credHelpers: { a: 'b' } }),
    );
    expect((await login(['-u', 'ann', '-p', 'secret', `oras://${host}`])).status).toBe(0);
    expect(await stored()).toMatchObject({
      auths: { other: { auth: 'eDp5', email: 'x' } },
      credHelpers: { a: 'b' },
    });
    expect((await stat(path())).mode & 0o777).toBe(0o600);
  });

  it('never overwrites a file that it cannot read', async () => {
    await mkdir(world.path('.singularity'), { mode: 0o700 });
    await writeFile(path(), '{broken');
    expect((await login(['-u', 'ann', '-p', 'secret', `oras://${host}`])).status).toBe(255);
    expect(await readFile(path(), 'utf8')).toBe('{broken');
  });

  it('of several at once loses none', async () => {
    const hosts = await Promise.all(
      [1, 2, 3, 4].map(async () => new URL(await world.serve(registry.handler)).host),
    );
    const results = await Promise.all(
      hosts.map((one) => login(['-u', 'ann', '-p', 'secret', `oras://${one}`])),
    );
    expect(results.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
    expect(Object.keys((await stored()).auths).toSorted()).toEqual(hosts.toSorted());
  });

  it('goes to the file that was named', async () => {
    expect(
      (await login(['--authfile', 'auth.json', '-u', 'ann', '-p', 'secret', `oras://${host}`])).status,
    ).toBe(0);
    expect((await stat(world.path('auth.json'))).mode & 0o777).toBe(0o600);
    await expect(stat(path())).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each([
    [['-u', 'ann', '-p', 'x', 'ghcr.io'], 'Expected oras://host[:port] or docker://host[:port]'],
    [['-u', 'ann', '-p', 'x', 'library://ghcr.io'], 'Expected oras://host[:port]'],
    [['-u', 'ann', '-p', 'x', 'oras://ghcr.io/group'], 'Expected oras://host[:port]'],
    [['-u', '', '-p', 'x', 'oras://ghcr.io'], 'Expected a name'],
    [['-u', 'a:b', '-p', 'x', 'oras://ghcr.io'], 'Expected a name'],
    [['-u', 'ann', '-p', '', 'oras://ghcr.io'], 'Expected a password'],
    [['-u', 'ann', '-p', 'a\nb', 'oras://ghcr.io'], 'Expected a password'],
  ])('of %j is refused (runtime contract §1.6)', async (words, message) => {
    const { status, stderr } = await login(words);
    expect([status, stderr]).toEqual([255, expect.stringContaining(message)]);
  });
});

describe('registry list and logout', () => {
  it('show what there is, without passwords, and forget it', async () => {
    expect((await world.ok(['registry', 'list'])).stderr).toContain('No passwords');
    await login(['-u', 'ann', '-p', 'secret', `oras://${host}`]);
    const { stdout } = await world.ok(['registry', 'list']);
    expect(stdout).toContain(`oras://${host}`);
    expect(stdout).not.toMatch(/secret|YW5u/);
    const json = await world.ok(['registry', 'list', '--json']);
    expect(JSON.parse(json.stdout)).toEqual({ registries: [{ uri: `oras://${host}`, username: 'ann' }] });
    await world.ok(['registry', 'logout', `docker://${host}`]);
    expect(await stored()).toEqual({ auths: {} });
    const again = await world.run(['registry', 'logout', `oras://${host}`]);
    expect([again.status, again.stderr]).toEqual([
      255,
      expect.stringContaining(`There is no password for ${host}`),
    ]);
  });
});
