import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../../test/support/certificates.js';
import { World } from '../testing/world.js';

let world: World;
let authority: CertificateAuthority;
let address: string;
beforeEach(async () => {
  world = await World.create();
  authority = await CertificateAuthority.make();
  await writeFile(world.path('ca.pem'), authority.cert);
  address = await site(authority);
});
afterEach(() => world.close());

/** A front end, all its services at one address, with a certificate of an authority. */
async function site(issuer: CertificateAuthority): Promise<string> {
  let base = '';
  const answer = (request: IncomingMessage, response: ServerResponse): unknown => {
    if (request.url === '/version') return response.end('{"data":{"version":"1.0","apiVersion":"2.0.0"}}');
    return response.end(JSON.stringify({ libraryAPI: { uri: base }, tokenAPI: { uri: base } }));
  };
  base = await world.serveTls(await issuer.issue(), answer);
  return base;
}

const add = (...words: string[]) => world.run(['remote', 'add', '--no-login', ...words]);
const status = (env: Record<string, string> = {}) => world.run(['remote', 'status'], { env });

describe('a site with an authority of its own', () => {
  it('is not trusted, and what helps is said', async () => {
    await add('lab', address);
    const { status: code, stderr } = await status();
    expect([code, stderr]).toEqual([
      255,
      expect.stringContaining(`${address} is not trusted: its certificate comes from an authority`),
    ]);
    expect(stderr).toMatch(/scs ca show.*sing remote add --ca FILE.*SING_CA_FILE/);
  });

  it('is trusted with remote add --ca, from then on and by that remote alone', async () => {
    await add('--ca', 'ca.pem', 'lab', address);
    expect((await status()).stderr).not.toContain('not trusted');
    expect((await status()).status).toBe(0);
    await add('other', await site(authority));
    expect((await status()).stderr).toContain('not trusted');
    expect((await world.run(['--remote', 'lab', 'remote', 'status'])).status).toBe(0);
  });

  it('is trusted with SING_CA_FILE', async () => {
    await add('lab', address);
    expect((await status({ SING_CA_FILE: 'ca.pem' })).status).toBe(0);
  });

  it('that an instance has vouches for the instance alone, and others are trusted as ever', async () => {
    const other = await CertificateAuthority.make();
    await writeFile(world.path('other.pem'), other.cert);
    await world.instance({ url: address, token: 'T', ca: authority.cert });
    const library = await world.serveTls(await other.issue(), (_request, response) =>
      response.end('{"data":{"image":[]}}'),
    );
    const search = (url: string, env: Record<string, string> = {}) =>
      world.run(['search', '--library', url, 'hello'], { env });
    expect((await search(library, { SING_CA_FILE: 'other.pem' })).status).toBe(0);
    expect((await search(library)).stderr).toContain(`${library} is not trusted`);
    expect((await search(await site(authority))).stderr).toContain('is not trusted');
    // Its own addresses, however they are written.
    expect((await search(`${address}/`)).stderr).not.toContain('is not trusted');
    expect((await search(`${address}/prefix`)).stderr).not.toContain('is not trusted');
  });

  it('is kept for this person alone, beside what the stock program reads', async () => {
    await add('--ca', 'ca.pem', 'lab', address);
    const file = world.path('.singularity', 'remote-ca', 'lab.pem');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(world.path('.singularity', 'remote-ca'))).mode & 0o777).toBe(0o700);
    const yaml = await readFile(world.path('.singularity', 'remote.yaml'), 'utf8');
    expect([...yaml.matchAll(/^ {8}(\w+):/gm)].map(([, key]) => key)).toEqual([
      'URI',
      'Token',
      'System',
      'Exclusive',
    ]);
  });

  it('is forgotten with its remote', async () => {
    await add('--ca', 'ca.pem', 'lab', address);
    await world.ok(['remote', 'remove', 'lab']);
    expect(await readdir(world.path('.singularity', 'remote-ca'))).toEqual([]);
  });

  it('vouches for no other server that another program put under its name', async () => {
    await add('--ca', 'ca.pem', 'lab', address);
    const file = world.path('.singularity', 'remote.yaml');
    const elsewhere = await site(authority);
    const [before, after] = [address, elsewhere].map((url) => url.replace('https://', ''));
    await writeFile(file, (await readFile(file, 'utf8')).replace(String(before), String(after)));
    expect((await status()).stderr).toContain(`${elsewhere} is not trusted`);
  });

  it.each([
    ['no.pem', /Expected a file that can be read for --ca, got "no.pem" \(ENOENT\)/],
    ['text', /Expected certificates in PEM for --ca, got "text"/],
    ['broken', /Expected certificates in PEM for --ca, got "broken"/],
  ])('is not added with %s for its authority', async (name, sentence) => {
    await writeFile(world.path('text'), 'hello');
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    await writeFile(world.path('broken'), authority.cert + broken);
    const { status: code, stderr } = await add('--ca', name, 'lab', address);
    expect([code, stderr]).toEqual([255, expect.stringMatching(sentence)]);
    expect((await world.ok(['remote', 'list', '--json'])).stdout).toContain('"remotes": []');
  });

  it('says that SING_CA_FILE holds no certificates', async () => {
    await writeFile(world.path('text'), 'hello');
    await add('lab', address);
    expect((await status({ SING_CA_FILE: 'text' })).stderr).toContain(
      'Expected certificates in PEM for SING_CA_FILE, got "text"',
    );
  });
});
