import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DomainError } from '#libs/core';
import { certificate } from '../../../test/support/certificate.js';
import { loadConfig } from './load.js';

function faultsOf(env: Record<string, string>): string {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof DomainError) return error.message;
    throw error;
  }
  return '';
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scs-transport-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** An address with a socket in a folder that is closed to others, or not. */
const at = (mode: number, form: (path: string) => string): string => {
  chmodSync(folder, mode);
  return form(join(folder, 'x.sock'));
};

describe('the addresses of services', () => {
  it.each(['SCS_AUTH_URL', 'SCS_LIBRARY_URL', 'SCS_BUILDER_URL', 'SCS_KEYSTORE_URL'])(
    'are https: %s, because tokens travel there',
    (name) => {
      for (const host of ['library', 'localhost', '127.0.0.1:8080'])
        expect(faultsOf({ [name]: `http://${host}` })).toContain(
          `Expected an https address for ${name}, got "http://${host}": tokens would travel unencrypted`,
        );
      const asked = { SCS_INSECURE_HTTP: 'yes' };
      expect(faultsOf({ ...asked, [name]: 'http://library.example.org' })).toContain(name);
      expect(faultsOf({ ...asked, [name]: 'http://127.0.0.1:8080' })).toBe('');
      expect(faultsOf({ ...asked, [name]: 'http://[::1]:8080' })).toBe('');
      expect(faultsOf({ [name]: 'https://library.example.org' })).toBe('');
    },
  );

  it('are what clients are told, and plain http only where that was asked for', () => {
    expect(faultsOf({ SCS_PUBLIC_URL: 'http://scs.example.org' })).toContain(
      'Expected an https address without SCS_INSECURE_HTTP=yes for SCS_PUBLIC_URL',
    );
    expect(faultsOf({ SCS_PUBLIC_URL: 'http://localhost:8080', SCS_INSECURE_HTTP: 'yes' })).toBe('');
  });
});

describe.each(['SCS_DATABASE_URL', 'SCS_AUTH_DATABASE_URL', 'SCS_BUILDER_DATABASE_URL'])('%s', (name) => {
  it.each([
    'mongodb://u:p@db.example.org/x?tls=true',
    'mongodb://u:p@db.example.org/x?TLS=TRUE',
    'mongodb://u:p@a,b:27018/x?ssl=true&replicaSet=rs',
    'mongodb+srv://u:p@db.example.org/x',
    'mongodb://CN%3Dscs@db.example.org/?tls=true&authMechanism=MONGODB-X509',
    'mongodb://u:p@%2Ftmp%2Fmongodb-27017.sock/',
  ])('may be %s', (url) => {
    expect(faultsOf({ [name]: url })).toBe('');
  });

  it.each([
    'mongodb://u:p@db.example.org/x',
    'mongodb://u:p@127.0.0.1/x',
    'mongodb://u:p@localhost:27017/x?replicaSet=rs',
    'mongodb://u:p@db.example.org/x?tls=false',
    'mongodb://u:p@db.example.org/x?tls=true&ssl=false',
    'mongodb+srv://u:p@db.example.org/x?tls=false',
    'mongodb://u:p@%2Ftmp%2Fm.sock,db.example.org/x',
  ])('is refused without TLS, on this machine too: %s', (url) => {
    const message = faultsOf({ [name]: url });
    expect(message).toContain(`Expected tls=true in ${name}: `);
    expect(message).not.toContain('u:p');
  });

  it.each(['tlsInsecure', 'tlsAllowInvalidCertificates', 'tlsAllowInvalidHostnames', 'tlsinsecure'])(
    'is refused with %s, which makes TLS worthless',
    (option) => {
      expect(faultsOf({ [name]: `mongodb://u:p@h/x?tls=true&${option}=true` })).toContain(
        `Expected no ${option.toLowerCase()}=true in ${name}`,
      );
    },
  );

  it.each(['mongodb://h/x?tls=true', 'mongodb://u@h/x?tls=true', 'mongodb://u:@h/x?tls=true'])(
    'is refused without a password: %s',
    (url) => {
      expect(faultsOf({ [name]: url })).toContain(`Expected a user and a password in ${name}`);
    },
  );

  it('needs neither on a socket that is closed to others, and a password on every other one', () => {
    const form = (path: string): string => `mongodb://${encodeURIComponent(path)}/x`;
    expect(faultsOf({ [name]: at(0o700, form) })).toBe('');
    expect(faultsOf({ [name]: at(0o755, form) })).toContain('Expected a user and a password');
  });
});

describe('SCS_REDIS_URL', () => {
  it.each(['rediss://:p@redis.example.org', 'rediss://u:p@127.0.0.1:6380/1'])('may be %s', (url) => {
    expect(faultsOf({ SCS_REDIS_URL: url })).toBe('');
  });

  it('is refused without TLS, on this machine too', () => {
    for (const host of ['redis.example.org', '127.0.0.1', 'localhost', '[::1]'])
      expect(faultsOf({ SCS_REDIS_URL: `redis://u:hunter2@${host}` })).toBe(
        `A setting is wrong:\n  Expected rediss:// in SCS_REDIS_URL: without TLS Redis is asked on a unix socket only, not at ${host}`,
      );
  });

  it('is refused without a password', () => {
    expect(faultsOf({ SCS_REDIS_URL: 'rediss://redis.example.org' })).toContain(
      'Expected a password in SCS_REDIS_URL',
    );
  });

  it('needs neither on a socket that is closed to others, and a password on every other one', () => {
    const form = (path: string): string => `unix:${path}`;
    expect(faultsOf({ SCS_REDIS_URL: at(0o700, form) })).toBe('');
    expect(faultsOf({ SCS_REDIS_URL: at(0o755, form) })).toContain('Expected a password');
    expect(faultsOf({ SCS_REDIS_URL: `${at(0o755, form)}?password=p` })).toBe('');
  });
});

describe('the authorities of databases and queue', () => {
  let file: string;
  beforeEach(async () => {
    file = join(folder, 'ca.pem');
    writeFileSync(file, (await certificate('db')).cert);
  });

  it('go into every address that needs one and names none', () => {
    const config = loadConfig({
      SCS_DATABASE_CA_FILE: file,
      SCS_REDIS_CA_FILE: file,
      SCS_DATABASE_URL: 'mongodb://u:p@h/x?tls=true',
      SCS_AUTH_DATABASE_URL: 'mongodb://u:p@h/auth?tls=true&tlsCAFile=/other.pem',
      SCS_LIBRARY_DATABASE_URL: 'mongodb://u:p@%2Frun%2Fm.sock/library',
      SCS_BUILDER_DATABASE_URL: 'sqlite:/srv/db',
      SCS_REDIS_URL: 'rediss://u:p@h/3',
    });
    const named = `tlsCAFile=${encodeURIComponent(file)}`;
    expect(config.databaseUrl('keystore')).toContain(named);
    expect(config.databaseUrl('auth')).toBe('mongodb://u:p@h/auth?tls=true&tlsCAFile=/other.pem');
    expect(config.databaseUrl('library')).toBe('mongodb://u:p@%2Frun%2Fm.sock/library');
    expect(config.databaseUrl('builder')).toBe('sqlite:/srv/db');
    expect(config.redisUrl).toBe(`rediss://u:p@h/3?${named}`);
  });

  it.each(['SCS_DATABASE_CA_FILE', 'SCS_REDIS_CA_FILE'])('have to be in the file of %s', (name) => {
    expect(faultsOf({ [name]: join(folder, 'no.pem') })).toMatch(
      new RegExp(`Expected a file that can be read for ${name}, got ".*no.pem" \\(ENOENT\\)`),
    );
    writeFileSync(file, 'hello');
    expect(faultsOf({ [name]: file })).toContain(`Expected certificates in PEM for ${name}`);
  });
});

describe('SCS_TRUSTED_PROXIES', () => {
  it('are addresses and networks', () => {
    expect(loadConfig({ SCS_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8,fd00::/8' }).trustedProxies).toEqual([
      '127.0.0.1',
      '10.0.0.0/8',
      'fd00::/8',
    ]);
    expect(loadConfig({}).trustedProxies).toEqual([]);
  });

  it.each(['proxy.example.org', '10.0.0.0/33', '0.0.0.0/0', '::/0', '1.2.3.4/', '1.2.3.4/x', '*'])(
    'are not %s',
    (text) => {
      expect(faultsOf({ SCS_TRUSTED_PROXIES: text })).toContain('SCS_TRUSTED_PROXIES');
    },
  );

  it('are missed where there is a proxy and nothing is said about it', () => {
    const env = { SCS_INSECURE_HTTP: 'yes' };
    expect(loadConfig(env).warnings).toEqual([expect.stringContaining('SCS_TRUSTED_PROXIES (127.0.0.1)')]);
    expect(loadConfig({ ...env, SCS_TRUSTED_PROXIES: '127.0.0.1' }).warnings).toEqual([]);
  });
});

describe('the object store', () => {
  const store = {
    SCS_BLOBS_URL: 's3://images/scs',
    SCS_S3_ACCESS_KEY_ID: 'scs',
    SCS_S3_SECRET_ACCESS_KEY: 'hunter2hunter2',
  };

  it('is where the blobs are', () => {
    const { blobsUrl, s3 } = loadConfig({ ...store, SCS_S3_ENDPOINT: 'https://minio.example.org:9000/' });
    expect(blobsUrl).toBe('s3://images/scs');
    expect(s3).toMatchObject({
      endpoint: 'https://minio.example.org:9000',
      region: 'us-east-1',
      publicEndpoint: undefined,
      accessKeyId: 'scs',
    });
    expect([s3?.secretAccessKey.reveal(), String(s3?.secretAccessKey)]).toEqual(['hunter2hunter2', '***']);
    expect(loadConfig({}).s3).toBeUndefined();
  });

  it.each(['SCS_S3_ACCESS_KEY_ID', 'SCS_S3_SECRET_ACCESS_KEY'])('is not asked without %s', (name) => {
    expect(faultsOf({ ...store, [name]: '' })).toContain(
      `Expected ${name} with an s3:// address in SCS_BLOBS_URL, got nothing`,
    );
  });

  it('is not forgotten in the address of the blobs', () => {
    const { SCS_BLOBS_URL: _, ...rest } = store;
    expect(faultsOf(rest)).toContain(
      'Expected an s3:// address in SCS_BLOBS_URL with SCS_S3_ACCESS_KEY_ID, got none',
    );
    expect(faultsOf({ SCS_BLOBS_URL: 's3://Images' })).toContain('or s3://<bucket>');
  });

  it.each(['SCS_S3_ENDPOINT', 'SCS_S3_PUBLIC_ENDPOINT'])('is reached by https: %s', (name) => {
    expect(faultsOf({ ...store, [name]: 'http://minio.example.org:9000' })).toContain(
      `Expected an https address for ${name}, got "http://minio.example.org:9000": images would travel unencrypted`,
    );
    expect(faultsOf({ ...store, [name]: 'http://127.0.0.1:9000' })).toContain('Expected an https address');
    const asked = { ...store, SCS_INSECURE_HTTP: 'yes' };
    expect(faultsOf({ ...asked, [name]: 'http://minio.example.org:9000' })).toContain(
      'Expected an https address',
    );
    expect(faultsOf({ ...asked, [name]: 'http://127.0.0.1:9000' })).toBe('');
    expect(faultsOf({ ...store, [name]: 'https://minio.example.org/path' })).toContain('without path');
    expect(faultsOf({ ...store, [name]: 'https://minio.example.org:9000' })).toBe('');
  });

  it('is no address of the machine for clients on others', () => {
    const local = { ...store, SCS_S3_PUBLIC_ENDPOINT: 'https://127.0.0.1:9000' };
    expect(loadConfig(local).warnings).toEqual([]);
    expect(loadConfig({ ...local, SCS_HOST: '0.0.0.0' }).warnings).toEqual([
      expect.stringContaining('downloads from other machines will fail'),
    ]);
  });

  it('shows no key in an error', () => {
    const message = faultsOf({ ...store, SCS_S3_SECRET_ACCESS_KEY: 'hunter2 hunter2' });
    expect(message).toContain('SCS_S3_SECRET_ACCESS_KEY');
    expect(message).not.toContain('hunter2');
  });
});
