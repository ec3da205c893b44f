import { describe, expect, it } from 'vitest';
import { parseMongoAddress, withoutSecrets } from './address.js';

describe('the address of a MongoDB', () => {
  it.each([
    ['mongodb://h/', 'scs_auth'],
    ['mongodb://h', 'scs_auth'],
    ['mongodb://h/?tls=true', 'scs_auth'],
    ['mongodb://u:p@h1,h2:27018/site?replicaSet=a', 'site_auth'],
    ['mongodb://u:p@h/auth', 'auth'],
    ['mongodb://u:p@h/site_auth?x=y', 'site_auth'],
    ['mongodb+srv://u:p@h/site-auth', 'site-auth'],
    ['mongodb://%2Frun%2Fm.sock/author', 'author_auth'],
  ])('%s gives the service the database %s', (url, database) => {
    expect(parseMongoAddress(url, 'auth')).toEqual({ url, database, sequentialCommits: false });
  });

  it.each([
    ['mongodb://h/?scsTestOnly=sequential-commits', 'mongodb://h/?'],
    ['mongodb://h/?scsTestOnly=sequential-commits&tls=true', 'mongodb://h/?tls=true'],
    ['mongodb://h/?tls=true&scsTestOnly=sequential-commits', 'mongodb://h/?tls=true'],
    ['mongodb://h/?a=b&scsTestOnly=sequential-commits&c=d', 'mongodb://h/?a=b&c=d'],
  ])('%s does not tell the driver of the switch of the tests', (url, rest) => {
    expect(parseMongoAddress(url, 'auth')).toMatchObject({ url: rest, sequentialCommits: true });
  });

  it.each([
    ['mongodb://me:secret@h/db?password=secret', 'mongodb://***@h/db'],
    ['mongodb://me:sec/ret@x@h/db', 'mongodb://***@h/db'],
    ['mongodb://h:1/db', 'mongodb://h:1/db'],
  ])('is shown without its secrets', (url, shown) => {
    expect(withoutSecrets(url)).toBe(shown);
  });
});
