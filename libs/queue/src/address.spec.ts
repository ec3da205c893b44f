import { describe, expect, it } from 'vitest';
import { parseRedisUrl } from './address.js';

describe('the address of Redis', () => {
  it.each([
    ['unix:/run/r.sock', { options: { path: '/run/r.sock' }, where: '/run/r.sock', exposed: false }],
    [
      'unix:/run/a%20b.sock?username=scs&password=p%26w&db=2',
      {
        options: { path: '/run/a b.sock', username: 'scs', password: 'p&w', db: 2 },
        where: '/run/a b.sock',
        exposed: false,
      },
    ],
    [
      'unix:///run/r.sock?password=p',
      { options: { path: '/run/r.sock', password: 'p' }, where: '/run/r.sock', exposed: false },
    ],
    [
      'redis://localhost',
      { options: { host: 'localhost', port: 6379 }, where: 'localhost:6379', exposed: false },
    ],
    [
      'redis://u:p%40w@10.0.0.1:7000/3',
      {
        options: { host: '10.0.0.1', port: 7000, username: 'u', password: 'p@w', db: 3 },
        where: '10.0.0.1:7000',
        exposed: true,
      },
    ],
    [
      'rediss://:p@[fd00::1]',
      {
        options: { host: 'fd00::1', port: 6379, password: 'p', tls: {} },
        where: 'fd00::1:6379',
        exposed: false,
      },
    ],
  ])('%s', (url, address) => {
    expect(parseRedisUrl(url)).toEqual(address);
  });

  it.each([
    '',
    'unix:',
    'unix:relative',
    'http://host',
    'redis://',
    'redis:/path',
    '/run/redis.sock',
    'rediss://x:secret@h:port',
  ])('is refused as %j, without a secret in the message', (url) => {
    expect(() => parseRedisUrl(url)).toThrow(
      expect.objectContaining({
        code: 'bad_request',
        reason: 'bad_redis_url',
        message: expect.not.stringContaining('secret'),
      }),
    );
  });

  it('is refused when the file of its authority cannot be read', () => {
    expect(() => parseRedisUrl('rediss://h?tlsCAFile=/nonexistent')).toThrow(/CA file/);
  });
});
