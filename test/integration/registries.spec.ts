import { createHash, createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { World } from '#apps/sing/src/testing/world';
import { CertificateAuthority, makeCertificate } from '../support/certificates.js';
import { ANN, DockerRegistry } from '../support/docker-registry.js';
import { OCI_MANIFEST, ociDigest, sifManifest } from '../support/fake-registry.js';
import { Gate } from '../support/gate.js';
import { lacking, skipped } from '../support/needs.js';
import { SIF_FIXTURES } from '../support/sif-fixtures.js';
import { temporaryFolder } from '../support/temporary.js';

/* oras:// with the stock registry. What a registry does that lies is in libs/oci and apps/sing. */

const none = lacking('docker-registry');
const basic = `Basic ${Buffer.from(`${ANN.username}:${ANN.password}`).toString('base64')}`;
const digestOf = (bytes: Buffer) => `sha256.${createHash('sha256').update(bytes).digest('hex')}`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let content: Buffer;
let world: World;
beforeAll(async () => {
  folder = await temporaryFolder();
  content = await readFile(join(SIF_FIXTURES, 'images/signed.sif'));
});
afterAll(() => folder.remove());
beforeEach(async () => {
  world = await World.create();
  await writeFile(world.path('image.sif'), content);
});
afterEach(() => world.close());

const login = (host: string, password: string) =>
  world.run(['registry', 'login', '-u', ANN.username, '--password-stdin', `oras://${host}`], {
    stdin: password,
  });
const same = async (name: string, bytes = content) => (await readFile(world.path(name))).equals(bytes);

describe.skipIf(none)(`the stock registry with passwords${skipped(none)}`, () => {
  let registry: DockerRegistry;
  beforeAll(async () => {
    registry = await DockerRegistry.start({ folder: join(folder.path, 'htpasswd'), auth: 'htpasswd' });
  });
  afterAll(() => registry.stop());
  beforeEach(() => {
    world.env['SING_NOHTTPS'] = '1';
  });

  it('lets in whoever has logged in, and nobody else', async () => {
    const image = `oras://${registry.host}/group/image:1`;
    const { status, stderr } = await world.run(['push', 'image.sif', image]);
    expect([status, stderr]).toEqual([
      255,
      expect.stringContaining(`sing registry login oras://${registry.host}`),
    ]);
    expect((await login(registry.host, 'wrong')).status).toBe(255);
    expect((await login(registry.host, ANN.password)).status).toBe(0);
    await world.ok(['push', 'image.sif', image]);
    await world.ok(['pull', 'back.sif', image]);
    expect(await same('back.sif')).toBe(true);
    const again = await world.ok(['push', 'image.sif', `oras://${registry.host}/group/image:2`]);
    expect(again.stderr).toContain('The registry had this file already');
    await world.ok(['registry', 'logout', `oras://${registry.host}`]);
    expect((await world.run(['pull', 'no.sif', image])).status).toBe(255);
  });

  it('gives out what stock programs have put there', async () => {
    const base = `http://${registry.host}`;
    const headers = { authorization: basic };
    const put = async (bytes: Buffer) => {
      const opened = await fetch(`${base}/v2/stock/image/blobs/uploads/`, { method: 'POST', headers });
      const location = new URL(opened.headers.get('location') ?? '', base);
      location.searchParams.set('digest', ociDigest(bytes));
      const stored = await fetch(location, { method: 'PUT', headers, body: new Uint8Array(bytes) });
      expect(stored.status).toBe(201);
    };
    // The configuration of stock programs is empty.
    await put(Buffer.alloc(0));
    await put(content);
    const pushed = await fetch(`${base}/v2/stock/image/manifests/1`, {
      method: 'PUT',
      headers: { ...headers, 'content-type': OCI_MANIFEST },
      body: new Uint8Array(sifManifest(content, { mediaType: OCI_MANIFEST })),
    });
    expect(pushed.status).toBe(201);
    await login(registry.host, ANN.password);
    const { stdout } = await world.ok([
      'pull',
      '--json',
      'back.sif',
      `oras://${registry.host}/stock/image:1`,
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ images: [{ hash: digestOf(content), arch: 'amd64' }] });
    expect(await same('back.sif')).toBe(true);
  });

  it('has a whole image after connections that broke, both ways', async () => {
    await appendFile(world.path('image.sif'), randomBytes(24 * 1024 * 1024));
    const large = await readFile(world.path('image.sif'));
    const gate = await Gate.open(() => registry.port);
    try {
      const host = `localhost:${gate.port}`;
      await login(host, ANN.password);
      const image = `oras://${host}/large/image:1`;
      const pushing = gate.holdAfter('up', 10_000_000);
      const push = world.ok(['push', 'image.sif', image]);
      await pushing;
      gate.cut();
      expect((await push).stderr).toContain('trying again');
      const pulling = gate.holdAfter('down', 10_000_000);
      const pull = world.ok(['pull', '--disable-cache', 'back.sif', image]);
      await pulling;
      gate.cut();
      expect((await pull).stderr).toContain('trying again');
      expect(await same('back.sif', large)).toBe(true);
      expect((await readdir(world.folder)).filter((name) => name.startsWith('.back'))).toEqual([]);
    } finally {
      await gate.close();
    }
  });
});

describe.skipIf(none)(`the stock registry with a token service and TLS${skipped(none)}`, () => {
  const SERVICE = 'registry of the test';
  let registry: DockerRegistry;
  let tokens: Server;
  let caFile: string;
  /** `path authorization` of what the token service was asked. */
  let asked: string[];
  /** Seconds that a token is good for. */
  let lasts: number;

  beforeAll(async () => {
    const authority = await CertificateAuthority.make();
    const [identity, signer] = await Promise.all([
      authority.issue(),
      makeCertificate(new Date(Date.now() - 3600_000), new Date(Date.now() + 3600_000)),
    ]);
    const key = createPrivateKey(signer.key);
    const x5c = [new X509Certificate(signer.cert).raw.toString('base64')];
    tokens = createServer(identity, (request, response) => {
      const { authorization = '' } = request.headers;
      asked.push(`${request.url} ${authorization}`.trim());
      if (authorization !== '' && authorization !== basic) return response.writeHead(401).end();
      const { searchParams } = new URL(request.url ?? '', 'https://x');
      const [type, name, actions = ''] = (searchParams.get('scope') ?? '').split(':');
      // Everybody may read what is public.
      const may = actions.split(',').filter((action) => authorization !== '' || action === 'pull');
      const access = type === '' ? [] : [{ type, name, actions: may }];
      const now = Math.floor(Date.now() / 1000);
      void new SignJWT({ access, jti: randomBytes(8).toString('hex') })
        .setProtectedHeader({ alg: 'ES256', typ: 'JWT', x5c })
        .setIssuer('test')
        .setAudience(SERVICE)
        .setSubject('ann')
        .setIssuedAt(now)
        .setNotBefore(now - 10)
        .setExpirationTime(now + lasts)
        .sign(key)
        .then((token) => response.end(JSON.stringify({ token, expires_in: 300 })));
    });
    await new Promise<void>((resolve) => tokens.listen(0, '127.0.0.1', resolve));
    registry = await DockerRegistry.start({
      folder: join(folder.path, 'token'),
      tls: identity,
      auth: {
        realm: `https://localhost:${(tokens.address() as AddressInfo).port}/token`,
        service: SERVICE,
        issuer: 'test',
        cert: signer.cert,
      },
    });
    caFile = join(folder.path, 'ca.pem');
    await writeFile(caFile, authority.cert);
  });
  afterAll(async () => {
    await registry.stop();
    tokens.closeAllConnections();
    tokens.close();
  });
  beforeEach(() => {
    asked = [];
    lasts = 300;
    world.env['SING_CA_FILE'] = caFile;
  });

  it('is asked for the rights that are needed, and what is public without a name', async () => {
    const image = `oras://${registry.host}/public/image:1`;
    expect((await login(registry.host, 'wrong')).status).toBe(255);
    expect((await login(registry.host, ANN.password)).status).toBe(0);
    asked.length = 0;
    await world.ok(['push', 'image.sif', image]);
    expect(asked).toEqual([expect.stringMatching(/scope=repository%3Apublic%2Fimage%3Apull%2Cpush.*Basic /)]);
    await world.ok(['registry', 'logout', `oras://${registry.host}`]);
    asked.length = 0;
    await world.ok(['pull', 'back.sif', image]);
    expect(await same('back.sif')).toBe(true);
    expect(asked).toEqual([expect.stringMatching(/scope=repository%3Apublic%2Fimage%3Apull$/)]);
    const { status, stderr } = await world.run([
      'push',
      'image.sif',
      `oras://${registry.host}/public/other:1`,
    ]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('sing registry login')]);
  });

  it('is not trusted by a certificate that nobody vouches for', async () => {
    delete world.env['SING_CA_FILE'];
    const { status, stderr } = await world.run(['pull', 'a.sif', `oras://${registry.host}/public/image:1`]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('is not trusted')]);
  });

  it('is told once, and not again and again, when it takes none of its tokens', async () => {
    await login(registry.host, ANN.password);
    asked.length = 0;
    // The registry allows for clocks that differ by a minute: this one is over from the beginning.
    lasts = -120;
    const { status, stderr } = await world.run(['push', 'image.sif', `oras://${registry.host}/late/image:1`]);
    expect([status, stderr]).toEqual([255, expect.stringContaining('The registry wants to know who asks')]);
    expect(asked).toHaveLength(1);
  });
});
