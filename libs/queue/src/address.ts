import { DomainError, expected } from '#libs/core';
import type { RedisOptions } from 'ioredis';
import { readFileSync } from 'node:fs';

/** Options of one connection. How replies look is the client's default and not for an address to say. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

/** Where Redis is, as the client takes it, and as it may be shown. */
export interface RedisAddress {
  readonly options: ConnectionOptions;
  /** Without user and password. */
  readonly where: string;
  /** Across a network without TLS. */
  readonly exposed: boolean;
}

/**
 * Reads `unix:/path?username=…&password=…&db=…`, `redis://user:password@host:port/db` and `rediss://…`
 * (`?tlsCAFile=/path` names a CA of the site's own).
 * @throws DomainError `bad_request` that never repeats a password
 */
export function parseRedisUrl(text: string): RedisAddress {
  const refuse = (): DomainError =>
    new DomainError(
      'bad_request',
      expected('unix:/path, redis://host or rediss://host', 'the address of Redis', 'another form'),
      { reason: 'bad_redis_url', remedy: 'Correct SCS_REDIS_URL' },
    );
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refuse();
  }
  const query = url.searchParams;
  if (url.protocol === 'unix:') {
    const path = decodeURIComponent(url.pathname);
    if (!path.startsWith('/')) throw refuse();
    return {
      options: { path, ...login(query.get('username'), query.get('password'), query.get('db')) },
      where: path,
      exposed: false,
    };
  }
  if ((url.protocol !== 'redis:' && url.protocol !== 'rediss:') || url.hostname === '') throw refuse();
  const tls = url.protocol === 'rediss:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? 6379 : Number(url.port);
  const caFile = query.get('tlsCAFile');
  return {
    options: {
      host,
      port,
      ...login(
        decodeURIComponent(url.username),
        decodeURIComponent(url.password),
        url.pathname.replace(/^\//, ''),
      ),
      ...(tls ? { tls: caFile === null ? {} : { ca: readCa(caFile) } } : {}),
    },
    where: `${host}:${port}`,
    exposed: !tls && !/^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host),
  };
}

function login(username: string | null, password: string | null, db: string | null): ConnectionOptions {
  return {
    ...(username === null || username === '' ? {} : { username }),
    ...(password === null || password === '' ? {} : { password }),
    ...(db === null || db === '' ? {} : { db: Number(db) }),
  };
}

function readCa(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new DomainError('bad_request', `The CA file of Redis cannot be read: ${file}`, {
      reason: 'bad_redis_url',
      cause: error,
    });
  }
}
