import { execFileSync } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noPrompts } from '#libs/cli';
import { bodyOf, World } from '../testing/world.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.close());

const newpair = async (email = 'ann@example.org', ...more: string[]) => {
  const { stdout } = await world.ok([
    'key',
    'newpair',
    '--name',
    'Ann Lee',
    '--email',
    email,
    '--password',
    '',
    '--algorithm',
    'ed25519',
    ...more,
  ]);
  return stdout.trim();
};

const listed = async (...flags: string[]) =>
  (JSON.parse((await world.ok(['key', 'list', '--json', ...flags])).stdout) as { keys: object[] }).keys;

describe('key newpair', () => {
  it('makes a pair that list shows, in files for this person alone', async () => {
    const fingerprint = await newpair();
    expect(fingerprint).toMatch(/^[0-9A-F]{40}$/);
    expect(await listed()).toMatchObject([
      {
        fingerprint,
        userIds: ['Ann Lee <ann@example.org>'],
        algorithm: 'ed25519',
        revoked: false,
        secret: true,
      },
    ]);
    expect(await listed('--secret')).toHaveLength(1);
    expect((await stat(world.path('.singularity/sypgp/pgp-secret'))).mode & 0o777).toBe(0o600);
  });

  it('asks nobody when it cannot: names the flag', async () => {
    const { status, stderr } = await world.run(['key', 'newpair', '--name', 'Ann']);
    expect(status).toBe(2);
    expect(stderr).toContain('Answer with --email');
  });

  it('refuses --global with 1 and sizes that are none with 1', async () => {
    expect((await world.run(['key', 'newpair', '-g'])).status).toBe(1);
    expect((await world.run(['key', 'newpair', '-b', '1024'])).status).toBe(1);
  });

  it('keeps the pair when it cannot be pushed', async () => {
    const site = await world.site((_request, response) => response.writeHead(500).end('{}'));
    await world.ok(['remote', 'add', '-i', '--no-login', 'lab', site]);
    await newpair('ann@example.org', '--push');
    expect(await listed()).toHaveLength(1);
  });
});

describe('key list', () => {
  it('of an empty ring is no failure and names the ring', async () => {
    const { stdout, status } = await world.run(['key', 'list']);
    expect(status).toBe(0);
    expect(stdout).toContain('.singularity/sypgp/pgp-public');
  });

  it('uses the folder that SINGULARITY_SYPGPDIR names', async () => {
    world.env['SINGULARITY_SYPGPDIR'] = world.path('ring');
    await newpair();
    expect((await stat(world.path('ring', 'pgp-public'))).isFile()).toBe(true);
  });
});

describe('export and import', () => {
  it('carry a key to another ring, as text and as bytes', async () => {
    const fingerprint = await newpair();
    await world.ok(['key', 'export', '--armor', 'public.asc']);
    await world.ok(['key', 'export', '--secret', 'secret.bin']);
    expect(await readFile(world.path('public.asc'), 'utf8')).toMatch(/^-----BEGIN PGP PUBLIC KEY BLOCK-----/);
    expect((await stat(world.path('secret.bin'))).mode & 0o777).toBe(0o600);

    world.env['SING_SYPGPDIR'] = world.path('other');
    await world.ok(['key', 'import', 'public.asc']);
    expect(await listed()).toMatchObject([{ fingerprint, secret: false }]);
    expect((await world.ok(['key', 'import', 'public.asc'])).stderr).toContain('already there');
    await world.ok(['key', 'import', 'secret.bin']);
    expect(await listed()).toMatchObject([{ fingerprint, secret: true }]);
  });

  it('give a key that gpg reads', async () => {
    const fingerprint = await newpair();
    await world.ok(['key', 'export', '-a', 'public.asc']);
    const shown = execFileSync('gpg', ['--homedir', world.folder, '--show-keys', world.path('public.asc')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(shown).toContain(fingerprint);
  });

  it('never replace a file without --force, and fail with 10', async () => {
    await newpair();
    await writeFile(world.path('file'), 'precious');
    const { status, stderr } = await world.run(['key', 'export', 'file']);
    expect([status, stderr]).toEqual([10, expect.stringContaining('already exists')]);
    expect(await readFile(world.path('file'), 'utf8')).toBe('precious');
    await world.ok(['key', 'export', '--force', 'file']);
  });

  it('fail with 10 without a key, and with 2 for a file that is none', async () => {
    expect((await world.run(['key', 'export', 'file'])).status).toBe(10);
    await writeFile(world.path('junk'), 'no key');
    expect((await world.run(['key', 'import', 'junk'])).status).toBe(2);
    expect((await world.run(['key', 'import', 'none'])).status).toBe(2);
  });

  it('of several keys need to know which', async () => {
    await newpair('ann@example.org');
    await newpair('bob@example.org');
    expect((await world.run(['key', 'export', 'file'])).stderr).toContain('Answer with --key');
    await world.ok(['key', 'export', '--key', 'bob@example.org', 'file']);
  });

  it('take the number of the key from a pipe, as the stock programs do', async () => {
    await newpair('ann@example.org');
    const second = await newpair('bob@example.org');
    await world.ok(['key', 'export', 'file'], { stdin: '1\n' });
    world.env['SING_SYPGPDIR'] = world.path('other');
    await world.ok(['key', 'import', 'file']);
    expect(await listed()).toMatchObject([{ fingerprint: second }]);
  });
});

describe('key remove', () => {
  it('removes the public key; the private one only when asked', async () => {
    const fingerprint = await newpair();
    await world.ok(['key', 'remove', fingerprint]);
    expect(await listed()).toEqual([]);
    expect(await listed('--secret')).toHaveLength(1);
    const no = { ...noPrompts, confirm: () => Promise.resolve(false) };
    await world.ok(['key', 'remove', '--secret', fingerprint], { prompts: no });
    expect(await listed('--secret')).toHaveLength(1);
    await world.ok(['key', 'remove', '--secret', '--force', fingerprint], { prompts: no });
    expect(await listed('--secret')).toEqual([]);
  });

  it('asks nobody where there is no terminal, and eats no line of a list that is piped through', async () => {
    const fingerprint = await newpair();
    await world.ok(['key', 'remove', '--private', fingerprint], { stdin: 'n\n' });
    expect(await listed('--secret')).toEqual([]);
  });

  it('of an unknown key fails with 255', async () => {
    expect((await world.run(['key', 'remove', '0'.repeat(40)])).status).toBe(255);
  });
});

describe('with a key server', () => {
  const TOKEN = 'token-of-ann';
  let stored = '';
  let asked: string[] = [];

  beforeEach(async () => {
    stored = '';
    asked = [];
    const site = await world.site(async (request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`);
      if (request.url?.startsWith('/pks/add') === true) {
        if (request.headers.authorization !== `Bearer ${TOKEN}`) return response.writeHead(401).end('{}');
        stored = new URLSearchParams(await bodyOf(request)).get('keytext') ?? '';
        return response.end('added');
      }
      if (request.url?.includes('op=index') === true) {
        return response.end(
          'info:1:1\npub:7605BC2716168DF057D6C600ACEEC62C8BD91BEE:22:256:1700000000::\nuid:Ann%1b[31m:1700000000::\n',
        );
      }
      return stored === '' ? response.writeHead(404).end('{}') : response.end(stored);
    });
    await world.ok(['remote', 'add', '-i', '--no-login', 'lab', site]);
  });

  const logIn = async () => {
    const path = world.path('.singularity', 'remote.yaml');
    await writeFile(path, (await readFile(path, 'utf8')).replace('Token: ""', `Token: ${TOKEN}`));
  };

  it('push needs a token: nothing is sent without', async () => {
    const fingerprint = await newpair();
    const { status, stderr } = await world.run(['key', 'push', fingerprint]);
    expect(status).toBe(2);
    expect(stderr).toContain('sing remote login lab');
    expect(asked.some((line) => line.includes('/pks/add'))).toBe(false);
  });

  it('push sends the public key alone, pull brings it back', async () => {
    const fingerprint = await newpair();
    await logIn();
    await world.ok(['key', 'push', fingerprint]);
    expect(stored).toContain('BEGIN PGP PUBLIC KEY BLOCK');
    await world.ok(['key', 'remove', '--both', '--force', fingerprint]);
    await world.ok(['key', 'pull', fingerprint]);
    expect(await listed()).toMatchObject([{ fingerprint, secret: false }]);
  });

  it('pull refuses another key than was asked for', async () => {
    const fingerprint = await newpair();
    await logIn();
    await world.ok(['key', 'push', fingerprint]);
    await world.ok(['key', 'remove', fingerprint]);
    const { status, stderr } = await world.run(['key', 'pull', '0'.repeat(40)]);
    expect([status, stderr]).toEqual([2, expect.stringContaining('another key than was asked for')]);
    expect(await listed()).toEqual([]);
  });

  it('pull of an unknown key, and of words, fails with 2', async () => {
    expect((await world.run(['key', 'pull', '0'.repeat(40)])).stderr).toContain('The key server has no key');
    const words = await world.run(['key', 'pull', 'ann@example.org']);
    expect([words.status, words.stderr]).toEqual([
      2,
      expect.stringContaining('sing key search ann@example.org'),
    ]);
  });

  it('search shows what the server says, without its control characters', async () => {
    const { stdout } = await world.ok(['key', 'search', 'ann']);
    expect(stdout).toContain('Showing 1 results');
    expect(stdout).toContain('8BD91BEE');
    expect(stdout).toContain('Ann\\x1b[31m');
    const json = await world.ok(['key', 'search', '--json', 'ann']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      keys: [
        { fingerprint: '7605BC2716168DF057D6C600ACEEC62C8BD91BEE', algorithm: 'ed25519', expires: null },
      ],
    });
  });

  it('a server that is named with --url gets no token', async () => {
    await logIn();
    const other = await world.serve((request, response) =>
      response.end(request.headers.authorization === undefined ? 'info:1:0\n' : 'token leaked'),
    );
    const { stderr, status } = await world.run(['key', 'search', '--url', other, 'ann']);
    expect([status, stderr]).toEqual([2, expect.stringContaining('No key matches ann')]);
  });
});
