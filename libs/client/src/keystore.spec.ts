import { afterEach, describe, expect, it } from 'vitest';
import { HttpClient } from './http.js';
import { keystoreBaseUrl, KeystoreClient } from './keystore.js';
import { parseIndex } from './keystore-index.js';
import { bodyOf, closeAfterwards, closeServers, serve } from './testing/servers.js';

afterEach(closeServers);

function keystoreAt(baseUrl: string, token?: string): KeystoreClient {
  const http = new HttpClient({ baseUrl, userAgent: 'test', ...(token === undefined ? {} : { token }) });
  closeAfterwards(http);
  return new KeystoreClient(http);
}

describe('an index', () => {
  it('gives keys with their decoded user ids', () => {
    const text =
      'info:1:2\n' +
      'pub:7605BC2716168DF057D6C600ACEEC62C8BD91BEE:1:4096:1700000000::\n' +
      'uid:Lib%3A Ops+%2B CI <ops@example.org>:1700000000::\n' +
      'uat::::\n' +
      'pub:ABCDEF0123456789ABCDEF0123456789ABCDEF01:22:256:1700000000:1800000000:re\n';
    expect(parseIndex(text)).toEqual([
      {
        fingerprint: '7605BC2716168DF057D6C600ACEEC62C8BD91BEE',
        algorithm: 1,
        bits: 4096,
        created: new Date('2023-11-14T22:13:20Z'),
        expires: undefined,
        state: 'valid',
        userIds: ['Lib: Ops + CI <ops@example.org>'],
      },
      expect.objectContaining({ state: 'revoked', expires: new Date('2027-01-15T08:00:00Z'), userIds: [] }),
    ]);
  });

  it('may have carriage returns, missing fields and broken escapes', () => {
    const [key] = parseIndex('pub:0123456789abcdef\r\nuid:100%\r\n');
    expect(key).toMatchObject({ fingerprint: '0123456789ABCDEF', bits: undefined, userIds: ['100%'] });
  });

  it.each(['info:2:0\n', 'info:1:2\npub:0123456789ABCDEF::::::\n', 'pub:<html>:::::\n'])(
    '%j is refused',
    (text) => {
      expect(() => parseIndex(text)).toThrow("The key server's answer is not valid");
    },
  );
});

describe('the address of a key server', () => {
  it.each([
    ['https://keys.example.org/prefix', 'https://keys.example.org'],
    ['hkps://keys.example.org', 'https://keys.example.org'],
    ['hkp://keys.example.org', 'http://keys.example.org:11371'],
    ['HKP://keys.example.org:80', 'http://keys.example.org'],
    ['http://localhost:8080', 'http://localhost:8080'],
  ])('%s is asked at %s', (uri, base) => {
    expect(keystoreBaseUrl(uri)).toBe(base);
  });

  it('of another kind is refused', () => {
    expect(() => keystoreBaseUrl('ldap://keys')).toThrow('Expected an https:// or hkps:// address');
  });
});

describe('the key server', () => {
  it('is asked below its root, with the token, whatever prefix the address has', async () => {
    const base = await serve((request, response) =>
      response.end(`${request.url} ${request.headers.authorization}`),
    );
    expect(await keystoreAt(`${base}/keys`, 'T').get('0xabc')).toBe(
      '/pks/lookup?exact=on&op=get&search=0xabc Bearer T',
    );
  });

  it('has no key: undefined and an empty page, not an error', async () => {
    const base = await serve((_request, response) => response.writeHead(404).end('{}'));
    expect(await keystoreAt(base).get('0xabc')).toBeUndefined();
    expect(await keystoreAt(base).search('nobody')).toEqual({ keys: [], nextPageToken: undefined });
  });

  it('pages through a search', async () => {
    const base = await serve((request, response) => {
      const { searchParams } = new URL(request.url ?? '', 'http://x');
      expect(Object.fromEntries(searchParams)).toMatchObject({ op: 'index', options: 'mr', search: 'a b' });
      if (searchParams.get('x-pagetoken') === null) response.setHeader('X-HKP-Next-Page-Token', 'N');
      response.end('info:1:0\n');
    });
    const first = await keystoreAt(base).search('a b');
    expect(first.nextPageToken).toBe('N');
    expect((await keystoreAt(base).search('a b', { pageToken: 'N' })).nextPageToken).toBeUndefined();
  });

  it('takes a key as a form and returns what it says', async () => {
    let body = '';
    const base = await serve(async (request, response) => {
      body = await bodyOf(request);
      response.end('added 1\n');
    });
    expect(await keystoreAt(base).add('-----BEGIN+\n')).toBe('added 1');
    expect(body).toBe('keytext=-----BEGIN%2B%0A');
  });

  it('refuses a key: its sentence is the error', async () => {
    const base = await serve((_request, response) =>
      response.writeHead(401).end('{"error":{"code":401,"message":"unauthorized or missing token"}}'),
    );
    await expect(keystoreAt(base).add('x')).rejects.toMatchObject({
      code: 'unauthorized',
      message: 'unauthorized or missing token',
    });
  });
});
