import { describe, expect, it } from 'vitest';
import { readGrant, UploadUrls } from './uploadUrls.js';

const key = Buffer.alloc(32, 7);
const grant = { upload: '0123456789abcdef01234567', part: 12, expires: 1000 };
const urls = new UploadUrls(key, 'https://library.example:8443');

function parse(text: string) {
  const url = new URL(text);
  const [, upload = '', part = ''] = /^\/v2\/upload\/([^/]+)\/([^/]+)$/.exec(url.pathname) ?? [];
  return readGrant({ upload, part, query: Object.fromEntries(url.searchParams) });
}

describe('signed upload addresses', () => {
  it('are absolute and say the same when they come back', () => {
    const text = urls.sign(grant);
    expect(text).toMatch(/^https:\/\/library\.example:8443\//);
    const back = parse(text);
    expect(back.grant).toEqual(grant);
    expect(() => urls.check(back.grant, back.signature, 999)).not.toThrow('anything');
  });

  it('end at their time', () => {
    const { signature } = parse(urls.sign(grant));
    expect(() => urls.check(grant, signature, 1000)).toThrow('This upload address has expired');
  });

  it.each([{ upload: 'f'.repeat(24) }, { part: 13 }, { part: 1 }, { expires: 1001 }])(
    'do not hold with %o',
    (change) => {
      const { signature } = parse(urls.sign(grant));
      expect(() => urls.check({ ...grant, ...change }, signature, 1)).toThrow('not made by this server');
    },
  );

  it('do not hold with another key, or without a signature', () => {
    const { signature } = parse(new UploadUrls(Buffer.alloc(32, 8), 'https://x').sign(grant));
    expect(() => urls.check(grant, signature, 1)).toThrow('not made by this server');
    expect(() => urls.check(grant, '', 1)).toThrow('not made by this server');
  });

  it.each([
    { part: '0' },
    { part: '01' },
    { part: '1e3' },
    { upload: '../../etc' },
    { query: { expires: ['1', '2'], signature: 'x' } },
    { query: { expires: '-1', signature: 'x' } },
    { query: {} },
  ])('are refused when they look otherwise: %o', (change) => {
    const address = { upload: grant.upload, part: '1', query: { expires: '1', signature: 'x' }, ...change };
    expect(() => readGrant(address)).toThrow('not made by this server');
  });

  it('need a key that cannot be guessed', () => {
    expect(() => new UploadUrls(Buffer.alloc(16), 'https://x')).toThrow('at least 32 bytes');
  });
});
