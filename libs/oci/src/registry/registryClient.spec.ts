import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  FakeRegistry,
  OCI_MANIFEST,
  ociDigest,
  refuse,
  sifManifest,
} from '../../../../test/support/fake-registry.js';
import { HttpClient } from '#libs/client';
import type { Credentials } from './authorization.js';
import { REGISTRY_LIMITS } from './limits.js';
import { parseRegistryReference } from './reference.js';
import { checkLogin, RegistryClient } from './registryClient.js';

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** @param name of this machine that the address has; `localhost` and `127.0.0.1` are two hosts */
async function serve(
  handler: (request: IncomingMessage, response: ServerResponse) => unknown,
  name = '127.0.0.1',
): Promise<string> {
  const server = createServer((request, response) => void handler(request, response));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, name, resolve));
  return `http://${name}:${(server.address() as AddressInfo).port}`;
}

const content = Buffer.from('the image');
const ANN: Credentials = { username: 'ann', password: 'se:cret' };
const BASIC = `Basic ${Buffer.from('ann:se:cret').toString('base64')}`;
let registry: FakeRegistry;
let base: string;
/** Addresses that were opened beside the registry's own. */
let opened: string[];
beforeEach(async () => {
  registry = new FakeRegistry();
  registry.addSif('a/b', '1', content);
  base = await serve(registry.handler);
  opened = [];
});

const http = (baseUrl: string) => new HttpClient({ baseUrl, userAgent: 'test' });
const options = (credentials?: Credentials) => ({
  http: http(base),
  login: 'sing registry login oras://h',
  credentials: async () => credentials,
  open: async (address: string) => {
    opened.push(address);
    return http(address);
  },
});
const client = (credentials?: Credentials, by = ':1', actions: 'pull' | 'pull,push' = 'pull') =>
  new RegistryClient(
    options(credentials),
    parseRegistryReference(`oras://${new URL(base).host}/a/b${by}`),
    actions,
  );
const authorizations = () => registry.requests.map(({ headers }) => headers.authorization);

/** Lets in who shows this, and asks everybody else with a challenge. */
function wants(authorization: string, challenge: string | string[]): void {
  registry.before = (request, response) =>
    request.headers.authorization !== authorization &&
    refuse(response, 401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': challenge });
}

describe('who asks', () => {
  it('is nobody, until the registry wants to know', async () => {
    await client(ANN).manifest([OCI_MANIFEST]);
    expect(authorizations()).toEqual([undefined]);
  });

  it('is told by name and password where the registry asks for that', async () => {
    wants(BASIC, 'Basic realm="x"');
    const one = client(ANN);
    await one.manifest([OCI_MANIFEST]);
    await one.hasBlob(ociDigest(content));
    // Asked once, shown from then on.
    expect(authorizations()).toEqual([undefined, BASIC, BASIC]);
    expect(opened).toEqual([]);
  });

  it('is told by a token of the service that the registry names, for this repository and what is to be done', async () => {
    const asked: { url: string; authorization: string | undefined }[] = [];
    const tokens = await serve((request, response) => {
      asked.push({ url: request.url ?? '', authorization: request.headers.authorization });
      response.end('{"access_token":"T1"}');
    });
    wants('Bearer T1', ['Negotiate', `Bearer realm="${tokens}/token?a=b",service="reg"`]);
    await client(ANN, ':1', 'pull,push').manifest([OCI_MANIFEST]);
    expect(asked).toEqual([
      {
        url: '/token?a=b&service=reg&scope=repository%3Aa%2Fb%3Apull%2Cpush&account=ann',
        authorization: BASIC,
      },
    ]);
    // The registry never saw the password.
    expect(authorizations()).toEqual([undefined, 'Bearer T1']);
    await client(undefined).manifest([OCI_MANIFEST]);
    expect(asked[1]).toEqual({
      url: '/token?a=b&service=reg&scope=repository%3Aa%2Fb%3Apull',
      authorization: undefined,
    });
  });

  it.each([
    ['repository:a/b:pull', 'repository:a/b:pull,push'],
    ['aws', 'aws'],
  ])('asks for all that is going to be done, whatever one request needs: %s', async (named, expected) => {
    const asked: (string | null)[] = [];
    const tokens = await serve((request, response) => {
      asked.push(new URL(request.url ?? '', 'http://x').searchParams.get('scope'));
      response.end('{"token":"T1"}');
    });
    wants('Bearer T1', `Bearer realm="${tokens}/token",scope="${named}"`);
    await client(ANN, ':1', 'pull,push').manifest([OCI_MANIFEST]);
    expect(asked).toEqual([expected]);
  });

  it('is asked anew when a token ends in the middle', async () => {
    let count = 0;
    const tokens = await serve((_, response) => response.end(`{"token":"T${(count += 1)}"}`));
    const challenge = `Bearer realm="${tokens}/token"`;
    wants('Bearer T1', challenge);
    const one = client();
    await one.manifest([OCI_MANIFEST]);
    wants('Bearer T2', challenge);
    expect(await one.hasBlob(ociDigest(content))).toBe(true);
    expect(count).toBe(2);
  });

  it('has its token renewed before it ends, once for all requests', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      let count = 0;
      const tokens = await serve((_, response) =>
        response.end(`{"token":"T${(count += 1)}","expires_in":300}`),
      );
      wants('Bearer T1', `Bearer realm="${tokens}/token"`);
      const one = client();
      await one.manifest([OCI_MANIFEST]);
      vi.setSystemTime(Date.now() + 289_000);
      await one.hasBlob(ociDigest(content));
      expect(count).toBe(1);
      registry.before = () => false;
      vi.setSystemTime(Date.now() + 2_000);
      await Promise.all([one.hasBlob(ociDigest(content)), one.hasBlob(ociDigest(content))]);
      expect(count).toBe(2);
      expect(authorizations().slice(-2)).toEqual(['Bearer T2', 'Bearer T2']);
    } finally {
      vi.useRealTimers();
    }
  });

  it('gets one token for many requests at once', async () => {
    let count = 0;
    const tokens = await serve((_, response) => response.end(`{"token":"T${(count += 1)}"}`));
    wants('Bearer T1', `Bearer realm="${tokens}/token"`);
    const one = client();
    await Promise.all(Array.from({ length: 5 }, () => one.hasBlob(ociDigest(content))));
    expect(count).toBe(1);
  });

  it('is a sentence, when nobody is known or the password is wrong', async () => {
    wants('Basic other', 'Basic realm="x"');
    const refusal = { code: 'unauthorized', remedy: expect.stringContaining('sing registry login oras://h') };
    await expect(client().manifest([OCI_MANIFEST])).rejects.toMatchObject(refusal);
    await expect(client(ANN).manifest([OCI_MANIFEST])).rejects.toMatchObject(refusal);
    // Shown once, and not again and again.
    expect(authorizations().filter((shown) => shown === BASIC)).toHaveLength(1);
    const tokens = await serve((_, response) => refuse(response, 401, 'UNAUTHORIZED', 'wrong password'));
    wants('Bearer T1', `Bearer realm="${tokens}/token"`);
    await expect(client(ANN).manifest([OCI_MANIFEST])).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining('(wrong password)'),
    });
  });

  it('is asked twice at most, whatever the token service gives out', async () => {
    let count = 0;
    const tokens = await serve((_, response) => response.end(`{"token":"T${(count += 1)}"}`));
    wants('x', `Bearer realm="${tokens}/token"`);
    await expect(client().manifest([OCI_MANIFEST])).rejects.toMatchObject({ code: 'unauthorized' });
    expect(authorizations()).toEqual([undefined, 'Bearer T1']);
  });

  it.each(['', 'Bearer', 'Bearer realm=""', 'Digest realm="x"'])(
    'is not told to a registry that asks for nothing that is known: %s',
    async (challenge) => {
      wants('x', challenge);
      await expect(client(ANN).manifest([OCI_MANIFEST])).rejects.toMatchObject({
        reason: challenge.includes('realm=""') ? 'insecure_realm' : 'registry_401',
      });
      expect(authorizations()).not.toContain(BASIC);
    },
  );
});

describe('a password', () => {
  it.each([
    ['of plain HTTP on another host', 'http://localhost:1/token'],
    ['that is no address', 'token'],
    ['of another kind', 'ftp://127.0.0.1/token'],
    ['with somebody else in it', 'https://eve@127.0.0.1/token'],
  ])('is not sent to a token service %s', async (_, realm) => {
    wants('x', `Bearer realm="${realm}"`);
    await expect(client(ANN).manifest([OCI_MANIFEST])).rejects.toMatchObject({ reason: 'insecure_realm' });
    expect(opened).toEqual([]);
  });

  it('is not sent where a token service redirects to', async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{"token":"T1"}');
    }, 'localhost');
    const tokens = await serve((_, response) =>
      response.writeHead(307, { location: `${other}/token` }).end(),
    );
    wants('Bearer T1', `Bearer realm="${tokens}/token"`);
    await client(ANN).manifest([OCI_MANIFEST]);
    expect(seen).toEqual([undefined]);
  });

  it('and a token are not sent where a registry redirects to', async () => {
    const seen: IncomingMessage['headers'][] = [];
    const storage = await serve((request, response) => {
      seen.push(request.headers);
      response.end(content);
    }, 'localhost');
    registry.before = (request, response) => {
      if (request.headers.authorization !== BASIC)
        return refuse(response, 401, 'UNAUTHORIZED', '', { 'www-authenticate': 'Basic realm="x"' });
      if (request.url?.includes('/blobs/') !== true) return false;
      response.writeHead(307, { location: `${storage}/bytes?key=1` }).end();
      return true;
    };
    const bytes = await client(ANN).smallBlob(ociDigest(content));
    expect(bytes.equals(content)).toBe(true);
    expect(seen.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it('is not told to somebody whom the registry redirects to and who asks for it', async () => {
    const storage = await serve(
      (_, response) => refuse(response, 401, 'UNAUTHORIZED', '', { 'www-authenticate': 'Basic realm="x"' }),
      'localhost',
    );
    registry.before = (_, response) => {
      response.writeHead(307, { location: `${storage}/bytes` }).end();
      return true;
    };
    await expect(client(ANN).smallBlob(ociDigest(content))).rejects.toMatchObject({ code: 'unauthorized' });
    expect(authorizations()).toEqual([undefined]);
  });
});

describe('a manifest', () => {
  const read = (by = ':1') => client(undefined, by).manifest([OCI_MANIFEST]);

  it('comes by tag or by digest, with its digest', async () => {
    const digest = ociDigest(sifManifest(content));
    expect((await read()).digest).toBe(digest);
    expect((await read(`@${digest}`)).digest).toBe(digest);
    expect(registry.lines).toEqual(['GET /v2/a/b/manifests/1', `GET /v2/a/b/manifests/${digest}`]);
    expect(registry.requests[0]?.headers.accept).toBe(OCI_MANIFEST);
  });

  it('that is another one than its digest says is refused', async () => {
    const digest = ociDigest(sifManifest(content));
    registry.manifests.set(`a/b@${digest}`, { type: OCI_MANIFEST, bytes: Buffer.from('{}') });
    await expect(read(`@${digest}`)).rejects.toMatchObject({ reason: 'wrong_digest' });
    // Also when the answer names the digest of what it brings.
    registry.before = (_, response) => {
      response.writeHead(200, { 'content-type': OCI_MANIFEST, 'docker-content-digest': digest }).end('{}');
      return true;
    };
    await expect(read()).rejects.toMatchObject({ reason: 'wrong_digest' });
  });

  it.each(['text/html', '', 'application/json', 'application/vnd.oci.image.index.v1+json'])(
    'of another kind (%s) is refused',
    async (type) => {
      registry.add('a/b', '1', sifManifest(content), type);
      await expect(read()).rejects.toMatchObject({ reason: 'unknown_media_type' });
    },
  );

  it('may say a character set', async () => {
    registry.add('a/b', '1', sifManifest(content), `${OCI_MANIFEST}; charset=utf-8`);
    expect((await read()).mediaType).toBe(OCI_MANIFEST);
  });

  it('that does not end is not read to its end', async () => {
    let sent = 0;
    registry.before = (_, response) => {
      response.writeHead(200, { 'content-type': OCI_MANIFEST });
      const chunk = Buffer.alloc(256 * 1024, ' ');
      const more = (): void => {
        while (!response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
      };
      more();
      return true;
    };
    await expect(read()).rejects.toMatchObject({ code: 'too_large' });
    expect(sent).toBeLessThan(4 * REGISTRY_LIMITS.manifest);
  });

  it('that is not there is a sentence with the words of the registry', async () => {
    await expect(read(':2')).rejects.toMatchObject({
      code: 'not_found',
      message: `The registry does not have it: ${new URL(base).host}/a/b:2 (manifest unknown)`,
    });
  });
});

describe('a small blob', () => {
  it('that is another one is refused, and so is a large one', async () => {
    const digest = ociDigest(content);
    registry.blobs.set(digest, Buffer.from('other'));
    await expect(client().smallBlob(digest)).rejects.toMatchObject({ reason: 'wrong_digest' });
    registry.blobs.set(digest, Buffer.alloc(REGISTRY_LIMITS.config + 1));
    await expect(client().smallBlob(digest)).rejects.toMatchObject({ code: 'too_large' });
  });
});

describe('a login', () => {
  const check = () => checkLogin(options(), ANN);

  it('is accepted or refused by the registry itself', async () => {
    wants(BASIC, 'Basic realm="x"');
    expect(await check()).toBe('accepted');
    wants('Basic other', 'Basic realm="x"');
    expect(await check()).toBe('refused');
  });

  it('is accepted or refused by its token service', async () => {
    const tokens = await serve((request, response) =>
      request.headers.authorization === BASIC
        ? response.end('{"token":"T1"}')
        : refuse(response, 401, 'UNAUTHORIZED', ''),
    );
    wants('Bearer T1', `Bearer realm="${tokens}/token"`);
    expect(await check()).toBe('accepted');
    expect(await checkLogin(options(), { ...ANN, password: 'wrong' })).toBe('refused');
    // A token that the registry does not take is none.
    wants('Bearer T2', `Bearer realm="${tokens}/token"`);
    expect(await check()).toBe('refused');
  });

  it('is not known to be right where the registry asks nobody', async () => {
    expect(await check()).toBe('unasked');
    registry.before = (request, response) =>
      request.headers.authorization !== undefined && refuse(response, 401, 'UNAUTHORIZED', '');
    expect(await check()).toBe('refused');
  });

  it('is none at something else', async () => {
    registry.before = (_, response) => refuse(response, 404, 'x', '');
    await expect(check()).rejects.toMatchObject({ reason: 'no_registry' });
  });
});
