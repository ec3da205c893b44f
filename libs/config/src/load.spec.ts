import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SERVICE_NAMES } from '#libs/contract';
import { DomainError } from '#libs/core';
import { loadConfig } from './load.js';
import { SERVICES } from './services.js';

function faultsOf(env: Record<string, string>): string {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof DomainError) return error.message;
    throw error;
  }
  return '';
}

describe('loadConfig', () => {
  it('has a default for everything', () => {
    const config = loadConfig({});
    expect(config.port).toBe(8443);
    expect(config.host).toBe('127.0.0.1');
    expect(config.publicUrl).toBe('https://localhost:8443');
    expect(config.services).toEqual(SERVICE_NAMES);
    expect(config.serviceUrl('library')).toBe('https://localhost:8443');
    expect(config.home).toMatch(/\/\.scs$/);
    expect(config.databaseUrl('keystore')).toBe(`sqlite:${config.home}/data/keystore`);
    expect(config.redisUrl).toBeUndefined();
    expect(config.library).toEqual({
      scrubRate: 4 * 1024 ** 2,
      accountQuota: 0,
      entityQuota: 0,
      defaultPrivate: false,
      webhookNetworks: [],
    });
    expect(config.tls).toMatchObject({ mode: 'own', caFile: `${config.home}/tls/ca.pem` });
  });

  it.each([
    ['0', 0],
    ['1000', 1000],
    ['20M', 20 * 1024 ** 2],
    ['2G', 2 * 1024 ** 3],
  ])('reads bytes in a second: %s', (SCS_LIBRARY_SCRUB_RATE, scrubRate) => {
    expect(loadConfig({ SCS_LIBRARY_SCRUB_RATE }).library.scrubRate).toBe(scrubRate);
  });

  it('reads where webhooks may go', () => {
    const { library } = loadConfig({ SCS_WEBHOOK_NETWORKS: '127.0.0.1, 10.1.0.0/16' });
    expect(library.webhookNetworks).toEqual(['127.0.0.1', '10.1.0.0/16']);
    for (const settings of [
      { SCS_WEBHOOK_NETWORKS: '0.0.0.0/0' },
      { SCS_WEBHOOK_NETWORKS: 'hooks.example.org' },
      { SCS_WEBHOOK_CA_FILE: '/nonexistent/ca.pem' },
    ])
      expect(() => loadConfig(settings)).toThrow(Object.keys(settings)[0]);
  });

  it.each(['-1', '4m', '1.5M', '9999999999999', 'M'])('does not take %j as bytes in a second', (text) => {
    expect(faultsOf({ SCS_LIBRARY_SCRUB_RATE: text })).toContain('SCS_LIBRARY_SCRUB_RATE');
  });

  it('reads what accounts and new entities may have', () => {
    const env = { SCS_LIBRARY_ACCOUNT_QUOTA: '500G', SCS_LIBRARY_ENTITY_QUOTA: '2T' };
    expect(loadConfig({ ...env, SCS_LIBRARY_DEFAULT_PRIVATE: 'yes' }).library).toMatchObject({
      accountQuota: 500 * 1024 ** 3,
      entityQuota: 2 * 1024 ** 4,
      defaultPrivate: true,
    });
  });

  it.each(['-1', '5g', '1.5T', '99999999999999T', '10P'])('does not take %j as bytes', (text) => {
    expect(faultsOf({ SCS_LIBRARY_ACCOUNT_QUOTA: text })).toContain('SCS_LIBRARY_ACCOUNT_QUOTA');
  });

  it('knows the services of the wire contract', () => {
    expect(SERVICES).toEqual(SERVICE_NAMES);
  });

  it('reports every wrong setting at once, by name, with what was expected and what was there', () => {
    const message = faultsOf({
      SCS_PORT: '99999',
      SCS_HOST: 'not a host',
      SCS_SERVICES: 'auth,kitchen',
      SCS_LOG_LEVEL: 'loud',
      SCS_INSECURE_HTTP: 'maybe',
      SCS_HOME: 'relative',
      SCS_TLS_CERT_FILE: '/a.pem',
    });
    expect(message).toContain('7 settings are wrong');
    expect(message).toContain('Expected a port from 1 to 65535 for SCS_PORT, got "99999"');
    expect(message).toContain('SCS_HOST, got "not a host"');
    expect(message).toContain('SCS_SERVICES, got "auth,kitchen"');
    expect(message).toContain('SCS_LOG_LEVEL, got "loud"');
    expect(message).toContain('Expected yes or no for SCS_INSECURE_HTTP, got "maybe"');
    expect(message).toContain('Expected an absolute path for SCS_HOME, got "relative"');
    expect(message).toContain('SCS_TLS_CERT_FILE and SCS_TLS_KEY_FILE together');
  });

  it('never shows a wrong secret', () => {
    const message = faultsOf({ SCS_DATABASE_URL: 'postgres://scs:hunter2@db' });
    expect(message).toContain('SCS_DATABASE_URL, got ***');
    expect(message).not.toContain('hunter2');
  });

  it.each([
    ['SCS_REDIS_URL', 'redis://scs:50%off@h'],
    ['SCS_REDIS_URL', 'unix:/run/%zz.sock'],
    ['SCS_DATABASE_URL', 'mongodb://scs:50%off@h/db'],
    ['SCS_AUTH_DATABASE_URL', 'mongodb://scs:pw@h/%zz'],
  ])('says of %s what is wrong with a bare percent sign, without the secret', (name, value) => {
    const message = faultsOf({ [name]: value });
    expect(message).toContain(`(with % written as %25) for ${name}, got ***`);
    expect(message).not.toContain('%off');
  });

  it('takes an empty value as none', () => {
    expect(loadConfig({ SCS_PORT: '', SCS_PUBLIC_URL: ' ' }).port).toBe(8443);
  });

  it.each([
    ['0', false],
    ['1', true],
    ['65535', true],
    ['65536', false],
    ['8443x', false],
    ['-1', false],
    ['0x20', false],
  ])('port %s is taken: %s', (port, good) => {
    expect(faultsOf({ SCS_PORT: port }) === '').toBe(good);
  });

  it('cuts the slash at the end of a URL, because clients append paths to it', () => {
    expect(loadConfig({ SCS_PUBLIC_URL: 'https://scs.example.org/' }).publicUrl).toBe(
      'https://scs.example.org',
    );
    expect(loadConfig({ SCS_PUBLIC_URL: 'https://h.example.org/scs//' }).publicUrl).toBe(
      'https://h.example.org/scs',
    );
  });

  it.each(['ftp://x', 'https://user:pw@x', 'https://x/?a=b', 'https://x/#a', 'x'])(
    'refuses the public URL %s',
    (url) => {
      expect(faultsOf({ SCS_PUBLIC_URL: url })).toContain('SCS_PUBLIC_URL');
    },
  );

  it('tells clients the name of the machine when it listens everywhere', () => {
    expect(loadConfig({ SCS_HOST: '0.0.0.0' }).publicUrl).toBe(`https://${hostname().toLowerCase()}:8443`);
    expect(loadConfig({ SCS_HOST: '192.0.2.7', SCS_PORT: '443' }).publicUrl).toBe('https://192.0.2.7');
    expect(loadConfig({ SCS_HOST: '2001:db8::1' }).publicUrl).toBe('https://[2001:db8::1]:8443');
  });

  it('refuses plain HTTP on a public address', () => {
    expect(faultsOf({ SCS_INSECURE_HTTP: 'yes', SCS_HOST: '0.0.0.0' })).toContain('loopback');
    expect(loadConfig({ SCS_INSECURE_HTTP: 'yes' }).publicUrl).toBe('http://localhost:8443');
  });

  it('asks for the URL of every service that is needed and does not run here', () => {
    const message = faultsOf({ SCS_SERVICES: 'builder,worker' });
    expect(message).toContain('SCS_AUTH_URL');
    expect(message).toContain('SCS_LIBRARY_URL');
    expect(message).not.toContain('SCS_BUILDER_URL');
    expect(message).not.toContain('SCS_KEYSTORE_URL');
  });

  it('lets a program of one service say what runs', () => {
    const config = loadConfig({ SCS_AUTH_URL: 'https://auth.example.org' }, ['keystore']);
    expect(config.services).toEqual(['keystore']);
    expect(config.serviceUrl('auth')).toBe('https://auth.example.org');
    expect(config.serviceUrl('keystore')).toBe('https://localhost:8443');
    expect(() => config.serviceUrl('library')).toThrow('NEEDS');
  });

  it('gives every service a database of its own', () => {
    const sqlite = loadConfig({ SCS_DATABASE_URL: 'sqlite:/srv/db' });
    expect(sqlite.databaseUrl('auth')).toBe('sqlite:/srv/db/auth');
    const mongo = loadConfig({ SCS_DATABASE_URL: 'mongodb://scs:pw@db.example.org/site?tls=true' });
    expect(mongo.databaseUrl('auth')).toBe(
      'mongodb://scs:pw@db.example.org/site_auth?tls=true&authSource=site',
    );
    const bare = loadConfig({ SCS_DATABASE_URL: 'mongodb://scs:pw@db.example.org?tls=true' });
    expect(bare.databaseUrl('library')).toBe(
      'mongodb://scs:pw@db.example.org/scs_library?tls=true&authSource=admin',
    );
    const url = 'mongodb://u:p@a/b?ssl=true';
    const own = loadConfig({ SCS_DATABASE_URL: 'sqlite:/srv/db', SCS_AUTH_DATABASE_URL: url });
    expect(own.databaseUrl('auth')).toBe(url);
    expect(own.databaseUrl('builder')).toBe('sqlite:/srv/db/builder');
  });

  it('lets the keystore be asked and filled as keystore contract §4.1 says, unless told otherwise', () => {
    expect(loadConfig({}).keystore).toEqual({
      reads: 'everybody',
      anonymous: 'nothing',
      networks: [],
      adds: 60,
      searches: 10,
      gets: 200,
      wkdDomains: [],
    });
    const { keystore } = loadConfig({
      SCS_KEYSTORE_READS: 'token',
      SCS_KEYSTORE_ANONYMOUS: 'updates',
      SCS_KEYSTORE_NETWORKS: '192.0.2.0/24, 2001:db8::/32',
      SCS_KEYSTORE_ADDS: '5',
      SCS_WKD_DOMAINS: 'Example.ORG,example.net',
    });
    expect(keystore).toMatchObject({
      reads: 'token',
      anonymous: 'updates',
      networks: ['192.0.2.0/24', '2001:db8::/32'],
      adds: 5,
      wkdDomains: ['example.org', 'example.net'],
    });
  });

  it.each([
    ['SCS_KEYSTORE_READS', 'nobody'],
    ['SCS_KEYSTORE_ANONYMOUS', 'everything'],
    ['SCS_KEYSTORE_NETWORKS', '0.0.0.0/0'],
    ['SCS_KEYSTORE_GETS', '0'],
    ['SCS_KEYSTORE_SEARCHES', '1.5'],
    ['SCS_KEYSTORE_ADDS', '10000000'],
    ['SCS_WKD_DOMAINS', 'localhost'],
    ['SCS_WKD_DOMAINS', 'a@example.org'],
  ])('refuses %s=%s', (name, value) => {
    expect(faultsOf({ [name]: value })).toContain(name);
  });

  it('takes the socket path of a MongoDB URL as it is', () => {
    const config = loadConfig({ SCS_DATABASE_URL: 'mongodb://scs:p%40w@%2Ftmp%2Fx.sock/?authSource=admin' });
    expect(config.databaseUrl('auth')).toBe('mongodb://scs:p%40w@%2Ftmp%2Fx.sock/scs_auth?authSource=admin');
  });

  it('takes several hosts of a MongoDB replica set', () => {
    const config = loadConfig({
      SCS_DATABASE_URL: 'mongodb://scs:pw@a:27017,b:27017/scs?replicaSet=rs&tls=true',
    });
    expect(config.databaseUrl('auth')).toBe(
      'mongodb://scs:pw@a:27017,b:27017/scs_auth?replicaSet=rs&tls=true&authSource=scs',
    );
  });

  it('reads Redis from a socket or a server', () => {
    const unix = loadConfig({ SCS_REDIS_URL: 'unix:/run/a%20b.sock?username=scs&password=p%26w' });
    expect(unix.redis).toMatchObject({ kind: 'unix', path: '/run/a b.sock', username: 'scs' });
    expect(unix.redis?.password.reveal()).toBe('p&w');
    const tls = loadConfig({ SCS_REDIS_URL: 'rediss://u:p@redis.example.org/3' });
    expect(tls.redis).toMatchObject({
      kind: 'tcp',
      host: 'redis.example.org',
      port: 6379,
      tls: true,
      database: 3,
    });
  });

  it('warns of names that it does not know', () => {
    const { warnings } = loadConfig({ SCS_PROT: '1', SCS_TEST_MONGO_URL: 'x', PATH: '/' });
    expect(warnings).toEqual(['SCS_PROT is not a setting of this version and has no effect']);
  });

  it('prints no password, however it is printed', () => {
    const config = loadConfig({
      SCS_DATABASE_URL: 'mongodb://scs:hunter2@db/x?tls=true',
      SCS_REDIS_URL: 'rediss://u:hunter2@h',
    });
    expect(inspect(config, { depth: 9, showHidden: true })).not.toContain('hunter2');
    expect(JSON.stringify(config)).not.toContain('hunter2');
    expect(String(config.redis?.password)).toBe('***');
  });
});

describe('a secret in a file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'scs-config-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is read without the line end', () => {
    const file = join(folder, 'url');
    writeFileSync(file, 'rediss://u:p@redis.example.org\n');
    expect(loadConfig({ SCS_REDIS_URL_FILE: file }).redisUrl).toBe('rediss://u:p@redis.example.org');
  });

  it('is refused beside the value itself, when it is missing, and when it is empty', () => {
    const empty = join(folder, 'empty');
    writeFileSync(empty, '\n');
    expect(faultsOf({ SCS_REDIS_URL: 'redis://h', SCS_REDIS_URL_FILE: empty })).toContain('got both');
    expect(faultsOf({ SCS_REDIS_URL_FILE: join(folder, 'no') })).toContain('ENOENT');
    expect(faultsOf({ SCS_REDIS_URL_FILE: empty })).toContain('SCS_REDIS_URL_FILE');
  });

  it('is checked like the value itself', () => {
    const file = join(folder, 'url');
    writeFileSync(file, 'http://wrong');
    expect(faultsOf({ SCS_REDIS_URL_FILE: file })).toContain('SCS_REDIS_URL, got ***');
  });
});
