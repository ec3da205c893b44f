import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseRedisUrl } from './address.js';

describe('the address of Redis', () => {
  it.each([
    [
      'unix:/run/a%20b.sock?username=scs&password=p%26w&db=2',
      { options: { path: '/run/a b.sock', username: 'scs', password: 'p&w', db: 2 }, where: '/run/a b.sock' },
    ],
    [
      'unix:///run/r.sock?password=p',
      { options: { path: '/run/r.sock', password: 'p' }, where: '/run/r.sock' },
    ],
    [
      'rediss://u:p%40w@10.0.0.1:7000/3',
      {
        options: { host: '10.0.0.1', port: 7000, username: 'u', password: 'p@w', db: 3, tls: {} },
        where: '10.0.0.1:7000',
      },
    ],
    [
      'rediss://:p@[fd00::1]',
      { options: { host: 'fd00::1', port: 6379, password: 'p', tls: {} }, where: 'fd00::1:6379' },
    ],
  ])('%s', (url, address) => {
    expect(parseRedisUrl(url)).toEqual(address);
  });

  it.each([
    ['redis://u:p@redis.example.org', 'queue_without_tls'],
    ['redis://u:p@127.0.0.1', 'queue_without_tls'],
    ['redis://localhost', 'queue_without_tls'],
    ['rediss://redis.example.org', 'queue_without_password'],
    ['rediss://u@redis.example.org', 'queue_without_password'],
    ['unix:/tmp/r.sock', 'queue_without_password'],
  ])('%s is refused: %s', (url, reason) => {
    expect(() => parseRedisUrl(url)).toThrow(expect.objectContaining({ code: 'bad_request', reason }));
  });

  it('needs no password on a socket that is closed to everybody else', () => {
    const folder = mkdtempSync(join(tmpdir(), 'scs-queue-'));
    expect(parseRedisUrl(`unix:${folder}/r.sock`).where).toBe(`${folder}/r.sock`);
    chmodSync(folder, 0o755);
    expect(() => parseRedisUrl(`unix:${folder}/r.sock`)).toThrow(/without a password/);
    rmSync(folder, { recursive: true });
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

  it('is refused when the file of its authority cannot be read, or holds none', () => {
    expect(() => parseRedisUrl('rediss://u:p@h?tlsCAFile=/nonexistent')).toThrow(
      'The file /nonexistent for Redis cannot be read (ENOENT)',
    );
    expect(() => parseRedisUrl('rediss://u:p@h?tlsCAFile=/etc/hostname')).toThrow(/holds no certificate/);
  });
});
