import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { certificate } from '../../../../test/support/certificate.js';
import { World } from '../testing/world.js';

let world: World;
beforeEach(async () => {
  world = await World.create();
});
afterEach(() => world.close());

const TOKEN = `good-${'x'.repeat(200)}`;

/** Services that know one token. */
function services(request: IncomingMessage, response: ServerResponse): unknown {
  const good = request.headers.authorization === `Bearer ${TOKEN}`;
  switch (request.url) {
    case '/version':
      return response.end('{"data":{"version":"1.0","apiVersion":"2.0.0"}}');
    case '/v1/token-status':
      return response.writeHead(good ? 200 : 404).end('{}');
    case '/v1/rbac/users/current':
      return response.writeHead(good ? 200 : 401).end(good ? '{"username":"ann"}' : '{}');
    case undefined:
    default:
      return response.writeHead(404).end('{}');
  }
}

const file = () => readFile(world.path('.singularity', 'remote.yaml'), 'utf8');

describe('remote add', () => {
  it('writes what the stock program reads, for this person alone', async () => {
    await world.ok(['remote', 'add', '--no-login', 'lab', 'https://scs.example.org:8443/sub/']);
    expect(await file()).toBe(
      `Active: lab
Remotes:
    lab:
        URI: "//scs.example.org:8443/sub"
        Token: ""
        System: "false"
        Exclusive: "false"
`.replaceAll('"false"', 'false'),
    );
    expect((await stat(world.path('.singularity', 'remote.yaml'))).mode & 0o777).toBe(0o600);
    expect((await stat(world.path('.singularity'))).mode & 0o777).toBe(0o700);
  });

  it('checks the token first and stores it with success only', async () => {
    const site = await world.site(services);
    const bad = await world.run(['remote', 'add', '-i', '--password-stdin', 'lab', site], {
      stdin: 'wrong\n',
    });
    expect(bad.status).toBe(255);
    expect(bad.stderr).toContain('lab does not accept this token');
    expect(bad.stderr).toContain(`${site}/auth/tokens`);
    expect(await file()).not.toContain('wrong');

    await world.ok(['remote', 'login', '--password-stdin', 'lab'], { stdin: `${TOKEN}\nsecond line\n` });
    await world.ok(['remote', 'logout', 'lab']);
    await world.ok(['remote', 'login', 'lab'], { stdin: `${TOKEN}\n` });
    expect(await file()).toContain(`Token: ${TOKEN}\n`);
    await world.ok(['remote', 'logout', 'lab']);
    expect(await file()).toContain('Token: ""\n');
  });

  it.each([
    [['lab', 'http://scs.example.org'], 'is not encrypted'],
    [['lab', 'ftp://scs.example.org'], 'Expected a host name or an https:// address'],
    [['lab', 'https://user:pw@scs.example.org'], 'Expected a host name or an https:// address'],
    [['local', 'scs.example.org'], 'local is the name of the instance on this machine'],
    [['-n', 'a b', 'scs.example.org'], 'Expected letters, digits'],
  ])('refuses %j', async (words, message) => {
    const { status, stderr } = await world.run(['remote', 'add', '--no-login', ...words]);
    expect(stderr).toContain(message);
    expect(status).toBe(255);
  });

  it('never replaces a remote', async () => {
    await world.ok(['remote', 'add', '--no-login', 'lab', 'a.example.org']);
    const { status, stderr } = await world.run(['remote', 'add', '--no-login', 'lab', 'b.example.org']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('A remote named lab exists already')]);
    expect(await file()).toContain('a.example.org');
  });

  it('loses nothing when many are added at once', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    await Promise.all(
      names.map((name) => world.ok(['remote', 'add', '--no-login', name, `${name}.example.org`])),
    );
    const { stdout } = await world.ok(['remote', 'list', '--json']);
    const { remotes } = JSON.parse(stdout) as { remotes: { name: string }[] };
    expect(remotes.map(({ name }) => name).sort()).toEqual(names);
  });
});

describe('remote.yaml of the stock program', () => {
  it('keeps what we do not know, and loses loose rights', async () => {
    await mkdir(world.path('.singularity'), { mode: 0o755 });
    const path = world.path('.singularity', 'remote.yaml');
    await writeFile(
      path,
      'Active: x\nRemotes:\n  x:\n    URI: x.example.org\n    Keyservers:\n    - URI: https://k\nCredentials:\n- URI: docker://d\n',
    );
    await chmod(path, 0o644);
    const { stderr } = await world.ok(['remote', 'add', '--no-login', 'lab', 'scs.example.org']);
    expect(stderr).toContain('its mode is 0600 now');
    const text = await file();
    expect(text).toContain('Keyservers:');
    expect(text).toContain('URI: docker://d');
  });

  it('that cannot be read is never overwritten', async () => {
    await mkdir(world.path('.singularity'));
    await writeFile(world.path('.singularity', 'remote.yaml'), 'Active: [a\n');
    const { status, stderr } = await world.run(['remote', 'add', '--no-login', 'lab', 'scs.example.org']);
    expect(status).toBe(255);
    expect(stderr).toContain('Line 1 has a form that is not understood');
    expect(await file()).toBe('Active: [a\n');
  });
});

describe('the remote in use', () => {
  it('is none at first: an error with what to do', async () => {
    const { status, stderr } = await world.run(['remote', 'status']);
    expect(status).toBe(255);
    expect(stderr).toContain('No remote is chosen');
    expect(stderr).toContain('./scripts/up');
  });

  it('is the instance of SCS_HOME, with its token, unless another one was chosen', async () => {
    const site = await world.site(services);
    await world.instance({ url: site, token: TOKEN });
    expect((await world.ok(['remote', 'status'])).stdout).toContain('Logged in as: ann');

    await world.ok(['remote', 'add', '--no-login', 'lab', 'scs.example.org']);
    const list = async () =>
      (JSON.parse((await world.ok(['remote', 'list', '--json'])).stdout) as { remotes: object[] }).remotes;
    expect(await list()).toMatchObject([
      { name: 'local', active: false, origin: 'instance', loggedIn: true },
      { name: 'lab', active: true },
    ]);
    expect((await world.ok(['--remote', 'local', 'remote', 'status'])).stdout).toContain('ann');
    await world.ok(['remote', 'use', 'local']);
    expect(await list()).toMatchObject([{ name: 'local', active: true }, { name: 'lab' }]);
    expect(await file()).toContain('Active: ""');
  });

  it('can be changed to a known one only', async () => {
    await world.ok(['remote', 'add', '--no-login', 'lab', 'scs.example.org']);
    const { status, stderr } = await world.run(['remote', 'use', 'other']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('There is no remote named other')]);
    expect(stderr).toContain('Known are: lab');
  });
});

describe('remote list', () => {
  it('marks a remote that is reached by plain HTTP as the stock programs do', async () => {
    await world.ok(['remote', 'add', '-i', '--no-login', 'plain', 'http://a.example.org']);
    await world.ok(['remote', 'add', '--no-login', 'safe', 'https://b.example.org']);
    const lines = (await world.ok(['remote', 'list'])).stdout.split('\n');
    expect(lines.find((line) => line.startsWith('plain'))).toContain('✗!');
    expect(lines.find((line) => line.startsWith('safe'))).not.toContain('✗');
  });
});

describe('remote status', () => {
  it('shows every service, and fails when one does not answer', async () => {
    const site = await world.site((request, response) =>
      request.url === '/version' ? response.writeHead(503).end() : services(request, response),
    );
    await world.ok(['remote', 'add', '-i', '--no-login', 'lab', site]);
    const { status, stdout, stderr } = await world.run(['remote', 'status']);
    expect(stdout).toContain('Keyserver  N/A');
    expect(stdout).toContain('\nNo authentication token set (logged out).\n');
    expect(stderr).toContain('Of lab do not answer: Builder, Keyserver, Library, Token');
    expect(status).toBe(255);
  });

  it('shows who you are, what the token may do, until when, and in which organisations you are', async () => {
    const data = {
      id: '0'.repeat(24),
      username: 'ann',
      displayName: 'Ann \u001b[31mArbor',
      kind: 'user',
      administrator: true,
      organisations: { physics: 'writer', biology: 'reader' },
      scopes: ['library:read', 'library:write:ann/tools'],
      expiresAt: '2027-01-02T03:04:05.000Z',
    };
    const site = await world.site((request, response) =>
      request.url === '/v1/token-status'
        ? response.writeHead(200).end(JSON.stringify({ data }))
        : services(request, response),
    );
    await world.instance({ url: site, token: TOKEN });
    const { stdout } = await world.ok(['remote', 'status']);
    expect(stdout).toContain(
      `Logged in as: ann
Account:       Ann \\x1b[31mArbor, administrator
Organisations: biology (reader), physics (writer)
Token allows:  library:read, library:write:ann/tools
Valid until:   2027-01-02T03:04:05.000Z

Valid authentication token set (logged in).
`,
    );
    const json = JSON.parse((await world.ok(['remote', 'status', '--json'])).stdout) as object;
    expect(json).toMatchObject({ loggedIn: true, username: 'ann', token: data });
  });

  it.each(['', '{}', '{"data":{}}', 'no json', '{"data":{"username":7}}'])(
    'takes any other answer of a token service as it is: %j',
    async (body) => {
      const site = await world.site((request, response) =>
        request.url === '/v1/token-status' ? response.writeHead(200).end(body) : services(request, response),
      );
      await world.instance({ url: site, token: TOKEN });
      expect((await world.ok(['remote', 'status'])).stdout).toContain('Logged in as: ann\n');
      const json = JSON.parse((await world.ok(['remote', 'status', '--json'])).stdout) as object;
      expect(json).toMatchObject({ loggedIn: true, username: 'ann', token: null });
    },
  );

  it('fails without a library, and with a token that is refused', async () => {
    const none = await world.site(services, ['token', 'keystore']);
    await world.ok(['remote', 'add', '-i', '--no-login', 'none', none]);
    expect((await world.run(['remote', 'status'])).stderr).toContain('The remote none has no library');

    const site = await world.site(services);
    await world.ok(['remote', 'add', '-i', '--no-login', 'lab', site]);
    const text = await file();
    await writeFile(
      world.path('.singularity', 'remote.yaml'),
      text.replaceAll('Token: ""', 'Token: revoked'),
    );
    const { status, stderr, stdout } = await world.run(['remote', 'status', '--json']);
    expect(status).toBe(255);
    expect(JSON.parse(stdout)).toMatchObject({ remote: 'lab', loggedIn: false, username: null });
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'unauthorized', reason: 'invalid_token' } });
  });

  it('sends no token to a plain http address that the front end names', async () => {
    const { key, cert } = await certificate('localhost');
    const frontend = await world.serveTls({ key, cert }, (_request, response) =>
      response.end('{"libraryAPI":{"uri":"http://library.example.org"}}'),
    );
    await world.instance({ url: frontend, token: TOKEN, ca: cert });
    const { stderr, status } = await world.run(['remote', 'status']);
    expect(stderr).toContain('The token of local would travel unencrypted to http://library.example.org');
    expect(status).toBe(255);
  });
});
