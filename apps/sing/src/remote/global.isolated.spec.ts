import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { installed } from '../testing/installed.js';
import { World } from '../testing/world.js';

vi.mock('../installation.js', async () => (await import('../testing/installed.js')).ofTest);

let world: World;
beforeEach(async () => {
  world = await World.create();
  installed.folder = world.folder;
});
afterEach(async () => {
  vi.restoreAllMocks();
  await world.close();
});

const as = (uid: number) => vi.spyOn(process as { geteuid: () => number }, 'geteuid').mockReturnValue(uid);
const globalFile = () => readFile(world.path('etc/singularity/remote.yaml'), 'utf8');
const ownFile = () => readFile(world.path('.singularity/remote.yaml'), 'utf8');
const list = async () =>
  (JSON.parse((await world.ok(['remote', 'list', '--json'])).stdout) as { remotes: object[] }).remotes;

async function write(text: string): Promise<void> {
  await mkdir(world.path('etc/singularity'), { recursive: true });
  await writeFile(world.path('etc/singularity/remote.yaml'), text, { mode: 0o644 });
}

const SITE = `Active: site
Remotes:
  site:
    URI: site.example.org
    System: true
    Exclusive: false
`;

describe('remotes of all users', () => {
  it('are made by root, for everybody to read, and without anybody logged in', async () => {
    as(0);
    const { stderr } = await world.ok(['remote', 'add', '--global', 'site', 'site.example.org']);
    expect(stderr).toContain('Everybody logs in for themselves: sing remote login site');
    expect((await stat(world.path('etc/singularity/remote.yaml'))).mode & 0o777).toBe(0o644);
    expect(await globalFile()).toContain('System: true');
    expect((await world.run(['remote', 'add', '-g', 'site', 'b.example.org'])).stderr).toContain('exists');
    expect(await list()).toEqual([
      expect.objectContaining({ name: 'site', global: true, active: true, loggedIn: false }),
    ]);
    await world.ok(['remote', 'remove', '-g', 'site']);
    expect(await list()).toEqual([]);
  });

  it.each([
    ['remote', 'add', '-g', 'x', 'x.example.org'],
    ['remote', 'remove', '-g', 'site'],
    ['remote', 'use', '-g', 'site'],
    ['remote', 'use', '-e', 'site'],
  ])('are changed by nobody else: %s %s %s', async (...argv) => {
    await write(SITE);
    as(1000);
    const { status, stderr } = await world.run(argv);
    expect([status, stderr]).toEqual([255, expect.stringContaining('Only root may')]);
    expect(await globalFile()).toBe(SITE);
  });

  it('have the token of each person in the own file of each', async () => {
    const token = `good-${'x'.repeat(200)}`;
    const site = await world.site((request, response) =>
      response.writeHead(request.headers.authorization === `Bearer ${token}` ? 200 : 404).end('{}'),
    );
    await write(
      SITE.replace('URI: site.example.org', `URI: "${site.replace('http:', '')}"\n    Insecure: true`),
    );
    await world.ok(['remote', 'login', '--password-stdin', 'site'], { stdin: token });
    expect(await ownFile()).toContain(`Token: ${token}`);
    expect(await ownFile()).toContain('System: true');
    expect(await globalFile()).not.toContain(token);
    expect(await list()).toEqual([
      expect.objectContaining({ name: 'site', global: true, loggedIn: true, uri: site }),
    ]);
    const { status, stderr } = await world.run(['remote', 'remove', 'site']);
    expect([status, stderr]).toEqual([255, expect.stringContaining("site is global and can't be removed")]);
    await world.ok(['remote', 'logout', 'site']);
    expect(await list()).toEqual([expect.objectContaining({ name: 'site', global: true, loggedIn: false })]);
  });

  it('send no token anywhere that the person stored for another address', async () => {
    await write(SITE);
    await mkdir(world.path('.singularity'), { mode: 0o700 });
    await writeFile(
      world.path('.singularity/remote.yaml'),
      'Active: site\nRemotes:\n  site:\n    URI: mine.example.org\n    Token: mine\n    System: false\n    Exclusive: false\n',
      { mode: 0o600 },
    );
    const { stdout, stderr } = await world.ok(['remote', 'list', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      remotes: [{ name: 'site', uri: 'https://site.example.org', global: true, loggedIn: false }],
    });
    expect(stderr).toContain('Your remote site is not used');
    await world.ok(['remote', 'remove', 'site']);
    expect(await ownFile()).not.toContain('mine');
  });

  it('are in use unless the person chose another; an exclusive one alone may be used', async () => {
    await write(SITE);
    await world.ok(['remote', 'add', '--no-login', '-n', 'lab', 'lab.example.org']);
    expect(await list()).toMatchObject([
      { name: 'site', active: true },
      { name: 'lab', active: false },
    ]);
    await world.ok(['remote', 'use', 'lab']);
    expect(await list()).toMatchObject([{ active: false }, { name: 'lab', active: true }]);

    as(0);
    await world.ok(['remote', 'use', '--exclusive', 'site']);
    expect(await list()).toMatchObject([{ name: 'site', active: true, exclusive: true }, { active: false }]);
    for (const argv of [
      ['remote', 'use', 'lab'],
      ['--remote', 'lab', 'search', 'hello'],
      ['--remote', 'lab', 'key', 'search', 'ann'],
    ]) {
      const { status, stderr } = await world.run(argv);
      expect(status).not.toBe(0);
      expect(stderr).toContain('remote site has been set exclusive by the system administrator');
    }
    await world.ok(['remote', 'use', '--global', 'site']);
    await world.ok(['remote', 'use', 'lab']);
  });

  it('leave the instance of this machine to whoever chose it', async () => {
    await write(SITE);
    await world.instance({ url: 'https://localhost:8443', token: 'T' });
    expect(await list()).toMatchObject([
      { name: 'local', active: false },
      { name: 'site', active: true },
    ]);
    await world.ok(['remote', 'use', 'local']);
    expect(await list()).toMatchObject([{ name: 'local', active: true }, { name: 'site' }]);
    expect(await ownFile()).not.toContain('Token: T');
  });

  it('of which one is exclusive have the only key servers, also by address', async () => {
    let url = '';
    const site = await world.site((_request, response) => response.writeHead(404).end('{}'));
    const listed = await world.serve((_request, response) => response.writeHead(404).end('{}'));
    url = site.replace('http:', '');
    await write(
      `Active: site\nRemotes:\n  site:\n    URI: "${url}"\n    System: true\n    Exclusive: true\n    Insecure: true\n    Keyservers:\n    - URI: ${listed}\n      Skip: false\n      External: true\n      Insecure: true\n`,
    );
    const other = await world.run(['key', 'search', '--url', 'https://keys.example.org', 'ann']);
    expect(other.stderr).toContain('The remote site is exclusive: only its key servers can be used');
    for (const known of [listed, site])
      expect((await world.run(['key', 'search', '--url', known, 'ann'])).stderr).toContain('No key matches');
  });

  it('have key servers that only root changes', async () => {
    const site = await world.site((_request, response) => response.end());
    await write(
      SITE.replace('URI: site.example.org', `URI: "${site.replace('http:', '')}"\n    Insecure: true`),
    );
    const own = await world.run(['keyserver', 'add', 'https://keys.example.org']);
    expect([own.status, own.stderr]).toEqual([255, expect.stringContaining('set up for all users')]);
    as(1000);
    expect((await world.run(['keyserver', 'add', '-g', 'https://keys.example.org'])).status).toBe(255);
    as(0);
    await world.ok(['keyserver', 'add', '-g', 'https://keys.example.org']);
    expect(await globalFile()).toContain('- URI: https://keys.example.org');
    expect((await world.ok(['keyserver', 'list'])).stdout).toContain('\nsite *^\n');
  });

  it.each([
    ['others may write to it', async (path: string) => chmod(path, 0o666), 'not be writable'],
    [
      'it is a link',
      async (path: string) => {
        await rm(path);
        await symlink('/etc/passwd', path);
      },
      'be a regular file',
    ],
  ])('are not believed when %s', async (_what, spoil, message) => {
    await write(SITE);
    await spoil(world.path('etc/singularity/remote.yaml'));
    const { status, stderr } = await world.run(['remote', 'list']);
    expect([status, stderr]).toEqual([255, expect.stringContaining(message)]);
  });
});

describe('remote get-login-password', () => {
  it.each([
    [200, '{"username":"ann","oidc_user_meta":{"secret":"S"}}', 'S\n', ''],
    [200, '{"username":"ann"}', '', 'user does not have cli token set'],
    [401, '{}', '', 'must be logged in to retrieve token'],
  ])('answers %i %s', async (status, body, stdout, message) => {
    const site = await world.site((_request, response) => response.writeHead(status).end(body));
    await world.instance({ url: site, token: 'T' });
    const result = await world.run(['remote', 'get-login-password']);
    expect([result.status, result.stdout]).toEqual([stdout === '' ? 255 : 0, stdout]);
    expect(result.stderr).toContain(message);
  });
});
