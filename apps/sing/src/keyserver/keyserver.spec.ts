import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { certificate } from '../../../../test/support/certificate.js';
import { SIF_FIXTURES, sifFixture } from '../../../../test/support/sif-fixtures.js';
import { World } from '../testing/world.js';

let world: World;
/** What the remote's own key server was asked, with what it was shown. */
let asked: string[];
let own: (request: IncomingMessage, response: ServerResponse) => unknown;
let site: string;
beforeEach(async () => {
  world = await World.create();
  asked = [];
  own = notFound;
  site = await world.site((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim());
    return own(request, response);
  });
  await world.ok(['remote', 'add', '-i', '--no-login', 'lab', site]);
});
afterEach(() => world.close());

const notFound = (_request: IncomingMessage, response: ServerResponse) =>
  response.writeHead(404).end('{"error":{"code":404,"message":"none"}}');

const file = () => readFile(world.path('.singularity', 'remote.yaml'), 'utf8');
const list = async () =>
  (
    JSON.parse((await world.ok(['keyserver', 'list', '--json'])).stdout) as {
      keyservers: { uri: string; loggedIn: boolean }[];
    }
  ).keyservers;
const uris = async () => (await list()).map(({ uri }) => uri);

/** A key server that answers every question alike, and remembers what it was shown. */
async function server(answer: (response: ServerResponse, url: string) => unknown) {
  const seen: string[] = [];
  const url = await world.serve((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim());
    return answer(response, request.url ?? '');
  });
  return { url, seen };
}

describe('keyserver add and remove', () => {
  it('write what the stock program reads, with the own one of the remote first', async () => {
    await world.ok(['keyserver', 'add', 'https://keys.example.org/']);
    expect(await file()).toContain(`        Keyservers:
            - URI: ${site}
              Skip: false
              External: false
              Insecure: false
            - URI: https://keys.example.org
              Skip: false
              External: true
              Insecure: false
`);
    await world.ok(['keyserver', 'remove', 'hkps://keys.example.org:443']);
    expect(await file()).not.toContain('Keyservers');
  });

  it('keep the order that is asked for', async () => {
    await world.ok(['keyserver', 'add', 'https://b.example.org']);
    await world.ok(['keyserver', 'add', '-o', '1', 'lab', 'https://a.example.org']);
    await world.ok(['keyserver', 'add', '--order', '3', 'https://c.example.org']);
    expect(await uris()).toEqual([
      'https://a.example.org',
      site,
      'https://c.example.org',
      'https://b.example.org',
    ]);
  });

  it('take the own one of the remote out as long as there is another, and bring it back', async () => {
    const last = await world.run(['keyserver', 'remove', site]);
    expect([last.status, last.stderr]).toEqual([255, expect.stringContaining("can't be removed")]);
    await world.ok(['keyserver', 'add', 'https://keys.example.org']);
    await world.ok(['keyserver', 'remove', site]);
    expect(await uris()).toEqual(['https://keys.example.org']);
    expect(await file()).toContain('Skip: true');
    await world.ok(['keyserver', 'add', '-i', '-o', '1', site]);
    expect(await uris()).toEqual([site, 'https://keys.example.org']);
  });

  it.each([
    [['-o', '0', 'https://keys.example.org'], 'order must be > 0'],
    [['-o', '3', 'https://keys.example.org'], 'order is out of range: maximum is 2'],
    [['http://keys.example.org'], 'is not encrypted'],
    [['hkp://keys.example.org'], 'is not encrypted'],
    [['ftp://keys.example.org'], 'Expected an https:// or hkps:// address'],
    [['other', 'https://keys.example.org'], 'There is no remote named other'],
  ])('refuse %j', async (words, message) => {
    const { status, stderr } = await world.run(['keyserver', 'add', ...words]);
    expect([status, stderr]).toEqual([255, expect.stringContaining(message)]);
  });

  it('refuse one that is there already, whatever it is called', async () => {
    await world.ok(['keyserver', 'add', 'https://keys.example.org']);
    const { status, stderr } = await world.run(['keyserver', 'add', 'hkps://KEYS.example.org/pks']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('is already configured')]);
  });

  it('are for the instance of this machine, too', async () => {
    await world.instance({ url: site, token: 'T' });
    await world.ok(['remote', 'use', 'local']);
    await world.ok(['keyserver', 'add', 'https://keys.example.org']);
    expect(await uris()).toEqual([site, 'https://keys.example.org', site]);
    expect(await file()).not.toContain('Token: T');
  });

  it('are found under the names of older programs', async () => {
    const { stderr } = await world.ok(['remote', 'add-keyserver', '-i', 'lab', 'http://keys.example.org']);
    expect(stderr).toContain('deprecated');
    expect(await uris()).toEqual([site, 'http://keys.example.org']);
    await world.ok(['remote', 'remove-keyserver', 'lab', 'http://keys.example.org']);
    expect(await uris()).toEqual([site]);
  });
});

describe('keyserver list', () => {
  it('shows the order, what is encrypted, and where one is logged in', async () => {
    const keys = await server((response) => response.end());
    await world.ok(['remote', 'add', '--no-login', '--no-default', 'away', 'away.invalid']);
    await world.ok(['keyserver', 'add', '-i', keys.url]);
    await world.ok(['keyserver', 'login', '-i', '--password-stdin', keys.url], { stdin: 'T\n' });
    await world.ok(['keyserver', 'add', 'https://keys.example.org']);
    await world.ok(['keyserver', 'add', '--insecure', 'hkps://self.example.org']);
    const { stdout, stderr } = await world.ok(['keyserver', 'list']);
    const width = Math.max(keys.url.length, 'https://keys.example.org'.length);
    expect(stdout).toContain(
      [
        '\nlab ^',
        `   #1  ${site.padEnd(width)}  no TLS`,
        `   #2  ${keys.url.padEnd(width)}  no TLS  +`,
        `   #3  ${'https://keys.example.org'.padEnd(width)}  🔒 TLS`,
        `   #4  ${'hkps://self.example.org'.padEnd(width)}  TLS, any certificate`,
      ].join('\n'),
    );
    expect(stdout).toContain('\naway\n  (unable to fetch associated keyserver info for this endpoint)');
    expect(stderr).toContain('Which key server away offers is not known');
  });
});

describe('keyserver login', () => {
  it('shows user name and password (Basic) or a token (Bearer), and stores what was accepted', async () => {
    const keys = await server((response) => response.end('welcome'));
    await world.ok(['keyserver', 'add', '-i', keys.url]);
    await world.ok(['keyserver', 'login', '-i', '-u', 'ann', '--password-stdin', keys.url], {
      stdin: 'two words\n',
    });
    const basic = `Basic ${Buffer.from('ann:two words').toString('base64')}`;
    expect(keys.seen).toEqual([`GET / ${basic}`]);
    expect(await file()).toContain(
      `Credentials:\n    - URI: ${keys.url}\n      Auth: "${basic}"\n      Insecure: true\n`,
    );
    await writeFile(world.path('token'), 'TOKEN\n');
    await world.ok(['keyserver', 'login', '-i', '--tokenfile', 'token', keys.url]);
    expect(keys.seen[1]).toBe('GET / Bearer TOKEN');
    expect(await file()).toContain('Auth: "Bearer TOKEN"');
    expect(await file()).not.toContain('Basic');

    await world.ok(['keyserver', 'logout', keys.url]);
    expect(await file()).not.toContain('Credentials');
    expect((await world.ok(['keyserver', 'logout', keys.url])).stderr).toContain('You were not logged in');
  });

  it.each([401, 204, 403, 503])('stores nothing when the answer is %i', async (status) => {
    const keys = await server((response) => response.writeHead(status).end());
    await world.ok(['keyserver', 'add', '-i', keys.url]);
    const login = await world.run(['keyserver', 'login', '-i', '-p', 'wrong', keys.url]);
    expect(login.status).toBe(255);
    expect(await file()).not.toContain('wrong');
  });

  it('is for key servers that were added, and shows nothing to others', async () => {
    const keys = await server((response) => response.end());
    const { status, stderr } = await world.run(['keyserver', 'login', '-p', 'T', keys.url]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('no external keyserver configuration')]);
    expect((await world.run(['keyserver', 'login', '-p', 'T', site])).status).toBe(255);
    expect([...keys.seen, ...asked]).toEqual([]);
  });

  it('keeps what registries know one by, and forgets a login with its key server', async () => {
    const keys = await server((response) => response.end());
    await writeFile(
      world.path('.singularity', 'remote.yaml'),
      `${await file()}Credentials:\n- URI: docker://r.example.org\n  Insecure: false\n`,
    );
    await world.ok(['keyserver', 'add', '-i', keys.url]);
    await world.ok(['keyserver', 'login', '-i', '-p', 'T', keys.url]);
    await world.ok(['keyserver', 'remove', keys.url]);
    expect(await file()).toContain('docker://r.example.org');
    expect(await file()).not.toContain('Bearer');
  });

  it('is what remote login points to', async () => {
    const { status, stderr } = await world.run(['remote', 'login', 'https://keys.example.org']);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining('sing keyserver login https://keys.example.org'),
    ]);
    expect((await world.run(['remote', 'logout', 'docker://r'])).stderr).toContain('sing registry logout');
  });
});

describe('key servers in their order', () => {
  const SIGNER = '1F4F38EC5FDB2A627E9237FEA4E241FB667D1318';
  let armored: string;
  beforeEach(async () => {
    armored = await readFile(`${SIF_FIXTURES}/keys/test-key-a.pub.asc`, 'utf8');
    await writeFile(world.path('image.sif'), sifFixture('images/signed.sif'));
  });

  it.each([
    ['knows nothing', notFound],
    ['fails', (_: IncomingMessage, response: ServerResponse) => response.writeHead(500).end()],
    ['has a page for everything', (_: IncomingMessage, response: ServerResponse) => response.end('<html>')],
  ])('are asked by verify and pull: the first one %s', async (_what, first) => {
    own = first;
    const keys = await server((response) => response.end(armored));
    await world.ok(['keyserver', 'add', '-i', keys.url]);
    const verified = await world.ok(['verify', 'image.sif']);
    expect(verified.stdout).toContain(`[REMOTE]           Fingerprint: ${SIGNER}`);
    expect([asked.length > 0, keys.seen]).toEqual([
      true,
      ['GET /pks/lookup?exact=on&op=get&search=0xa4e241fb667d1318'],
    ]);
    await world.ok(['key', 'pull', SIGNER]);
    expect((await world.ok(['key', 'list'])).stdout).toContain(SIGNER);
  });

  it('stop at the first that has an answer', async () => {
    own = (_request, response) => response.end(armored);
    const keys = await server((response) => response.end(armored));
    await world.ok(['keyserver', 'add', '-i', keys.url]);
    await world.ok(['verify', 'image.sif']);
    expect(keys.seen).toEqual([]);
  });

  it('are asked by search, which says who answered', async () => {
    const keys = await server((response) =>
      response.end(`info:1:1\npub:${SIGNER}:1:2048:1700000000::\nuid:Ann:1700000000::\n`),
    );
    await world.ok(['keyserver', 'add', '-i', keys.url]);
    expect(JSON.parse((await world.ok(['key', 'search', '--json', 'Ann'])).stdout)).toMatchObject({
      keys: [{ fingerprint: SIGNER }],
      keyserver: keys.url,
    });
  });

  it('get what one is logged in with there, and nobody else gets it', async () => {
    const keys = await server((response) => response.end(armored));
    await world.instance({ url: site, token: 'OWN' });
    await world.ok(['remote', 'use', 'local']);
    await world.ok(['keyserver', 'add', '-i', keys.url]);
    await world.ok(['keyserver', 'login', '-i', '-p', 'THEIRS', keys.url]);
    await world.ok(['key', 'pull', SIGNER]);
    expect(keys.seen.at(-1)).toMatch(/^GET \/pks\/lookup.* Bearer THEIRS$/);
    expect(asked.at(-1)).toMatch(/^GET \/pks\/lookup.* Bearer OWN$/);
    await world.ok(['key', 'pull', '--url', keys.url, SIGNER]);
    expect(keys.seen.at(-1)).toMatch(/^GET \/pks\/lookup\S*$/);
  });

  it('the first one gets the keys that are pushed, without the token of the remote when it is another', async () => {
    const keys = await server((response) => response.end('ok'));
    await world.instance({ url: site, token: 'OWN' });
    await world.ok(['remote', 'use', 'local']);
    await world.ok(['key', 'import', `${SIF_FIXTURES}/keys/test-key-a.pub.asc`]);
    await world.ok(['keyserver', 'add', '-i', '-o', '1', keys.url]);
    await world.ok(['key', 'push', SIGNER]);
    expect([keys.seen, asked.filter((line) => line.includes('/pks/'))]).toEqual([['POST /pks/add'], []]);
  });

  it('are all asked by refresh, each for what the ones before it do not know', async () => {
    await world.ok(['key', 'import', `${SIF_FIXTURES}/keys/test-key-a.pub.asc`]);
    const keys = await server((response, url) =>
      url.startsWith('/pks/') ? response.end(armored) : response.writeHead(404).end(),
    );
    await world.ok(['keyserver', 'add', '-i', keys.url]);
    const { stdout } = await world.ok(['key', 'refresh', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ keys: [{ fingerprint: SIGNER, status: 'unchanged' }] });
    expect(keys.seen.some((line) => line.includes(SIGNER.toLowerCase()))).toBe(true);
  });

  it('one that does not answer keeps refresh from none of the others', async () => {
    own = (_request, response) => response.writeHead(500).end();
    await world.ok(['key', 'import', `${SIF_FIXTURES}/keys/test-key-a.pub.asc`]);
    const keys = await server((response, url) =>
      url.startsWith('/pks/') ? response.end(armored) : response.writeHead(404).end(),
    );
    await world.ok(['keyserver', 'add', '-i', keys.url]);
    const { stdout, stderr } = await world.ok(['key', 'refresh', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ keys: [{ fingerprint: SIGNER, status: 'unchanged' }] });
    expect(stderr).toContain(`The key server ${site} could not be asked`);
    await world.ok(['keyserver', 'remove', keys.url]);
    expect((await world.run(['key', 'refresh'])).status).toBe(2);
  });

  it('are believed without a certificate that fits only when they were added so', async () => {
    const identity = await certificate('localhost');
    const url = await world.serveTls(identity, (_request, response) => response.end(armored));
    await world.ok(['keyserver', 'add', url]);
    expect((await world.run(['key', 'pull', SIGNER])).stderr).toMatch(/certificate/);
    await world.ok(['keyserver', 'remove', url]);
    await world.ok(['keyserver', 'add', '--insecure', url]);
    await world.ok(['key', 'pull', SIGNER]);
  });

  it('are all told when none of them answers', async () => {
    own = (_request, response) => response.writeHead(500).end();
    await world.ok(['keyserver', 'add', '-i', 'http://127.0.0.1:1']);
    const { status, stderr } = await world.run(['key', 'pull', SIGNER]);
    expect(status).toBe(2);
    expect(stderr).toContain(`The key server ${site} could not be asked`);
    expect(stderr).toContain('127.0.0.1:1');
  });
});
