import { DomainError, expected, isPrivateSocket, systemCode } from '#libs/core';
import type { RedisOptions } from 'ioredis';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Options of one connection. How replies look is the client's default and not for an address to say. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

/** Where Redis is, as the client takes it, and as it may be shown. */
export interface RedisAddress {
  readonly options: ConnectionOptions;
  /** Without user and password. */
  readonly where: string;
}

/**
 * Reads `unix:/path?username=…&password=…&db=…` and `rediss://user:password@host:port/db` (`?tlsCAFile=/path` names the
 * authority by which it is trusted). Jobs leave the process over TLS and with a password only; a unix socket needs no TLS, and
 * no password where it is closed to everybody else.
 * @throws DomainError `bad_request` that never repeats a password
 */
export function parseRedisUrl(text: string): RedisAddress {
  const refuse = (): DomainError =>
    new DomainError(
      'bad_request',
      expected('unix:/path or rediss://host', 'the address of Redis', 'another form'),
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
    const options = { path, ...login(query.get('username'), query.get('password'), query.get('db')) };
    if (options.password === undefined && !isPrivateSocket(path)) throw withoutPassword(path);
    return { options, where: path };
  }
  if ((url.protocol !== 'redis:' && url.protocol !== 'rediss:') || url.hostname === '') throw refuse();
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? 6379 : Number(url.port);
  const where = `${host}:${port}`;
  if (url.protocol === 'redis:')
    throw new DomainError('bad_request', `Redis at ${where} would be asked without TLS`, {
      reason: 'queue_without_tls',
      remedy: 'Turn TLS on in Redis and write rediss:// in SCS_REDIS_URL, or use its unix socket',
    });
  const account = login(
    decodeURIComponent(url.username),
    decodeURIComponent(url.password),
    url.pathname.replace(/^\//, ''),
  );
  if (account.password === undefined) throw withoutPassword(where);
  const caFile = query.get('tlsCAFile');
  return {
    options: { host, port, ...account, tls: caFile === null ? {} : { ca: readCa(caFile) } },
    where,
  };
}

function withoutPassword(where: string): DomainError {
  return new DomainError('bad_request', `Redis at ${where} would be asked without a password`, {
    reason: 'queue_without_password',
    remedy: 'Name a user and a password in SCS_REDIS_URL',
  });
}

function login(username: string | null, password: string | null, db: string | null): ConnectionOptions {
  return {
    ...(username === null || username === '' ? {} : { username }),
    ...(password === null || password === '' ? {} : { password }),
    ...(db === null || db === '' ? {} : { db: Number(db) }),
  };
}

function readCa(file: string): Buffer {
  const refuse = (why: string, cause: unknown): DomainError =>
    new DomainError('bad_request', `The file ${file} for Redis ${why}`, {
      reason: 'queue_ca_file',
      remedy: 'Correct SCS_REDIS_CA_FILE, or tlsCAFile in SCS_REDIS_URL',
      cause,
    });
  let text: Buffer;
  try {
    text = readFileSync(file);
  } catch (error) {
    throw refuse(`cannot be read (${systemCode(error) ?? 'unreadable'})`, error);
  }
  try {
    void new X509Certificate(text);
    return text;
  } catch (error) {
    throw refuse('holds no certificate in PEM', error);
  }
}
