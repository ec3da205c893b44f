import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chosenModules } from '#apps/all-in-one/src/modules';
import { loadConfig } from '#libs/config';
import { messageOf } from '#libs/core';
import { startApp } from '../support/app.js';
import { CertificateAuthority } from '../support/certificates.js';
import { startFakeMongo } from '../support/fake-mongo.js';
import { lackingMongo, type MongoServer, startFerretDb } from '../support/ferretdb.js';
import { lacking, skipped } from '../support/needs.js';
import { freePort } from '../support/ports.js';
import { type RedisOnTls, startRedisOnTls } from '../support/redis-tls.js';
import { temporaryFolder } from '../support/temporary.js';

const TLS = '&tls=true';
/** Where nobody answers: that is waited for. Who answers may take their time on a busy machine. */
const QUICK = `${TLS}&serverSelectionTimeoutMS=700`;
const reason = lackingMongo() ?? lacking('redis-server');

describe.skipIf(reason)(`a start with a database and a queue that cannot be used${skipped(reason)}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let mongo: MongoServer;
  let redis: RedisOnTls;
  let good: Record<string, string>;
  let otherCa: string;
  const path = (name: string): string => join(folder.path, name);

  beforeAll(async () => {
    folder = await temporaryFolder();
    const authority = await CertificateAuthority.make();
    const made = await authority.issue();
    await writeFile(path('cert.pem'), made.cert);
    await writeFile(path('key.pem'), made.key);
    await writeFile(path('ca.pem'), authority.cert);
    otherCa = path('other.pem');
    await writeFile(otherCa, (await CertificateAuthority.make()).cert);
    mongo = await startFerretDb({
      port: await freePort(),
      certFile: path('cert.pem'),
      keyFile: path('key.pem'),
    });
    redis = await startRedisOnTls(made);
    good = {
      SCS_SERVICES: 'auth,builder',
      SCS_LIBRARY_URL: 'https://localhost:1',
      SCS_DATABASE_URL: mongo.url({ more: TLS }),
      SCS_DATABASE_CA_FILE: path('ca.pem'),
      SCS_REDIS_URL: redis.url(),
      SCS_REDIS_CA_FILE: path('ca.pem'),
    };
  }, 300_000);
  afterAll(async () => {
    await Promise.all([mongo.stop(), redis.stop()]);
    await folder.remove();
  });

  /** What the start says with some settings changed; undefined: it starts. */
  async function said(change: Readonly<Record<string, string>> = {}): Promise<string | undefined> {
    const env = { ...good, ...change };
    try {
      const modules = await chosenModules(loadConfig(env));
      await (await startApp({ modules, env })).stop();
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  const database = (more: string, password?: string): Record<string, string> => ({
    SCS_DATABASE_URL: mongo.url({ more, ...(password === undefined ? {} : { password }) }),
  });

  it('works with user, password, TLS and the authority of each', async () => {
    expect(await said()).toBeUndefined();
  });

  it('stops with a sentence of its own for each fault, and no password in any', async () => {
    const fake = await startFakeMongo({
      replicaSet: 'rs',
      answer: (command) =>
        'create' in command ? { ok: 0, code: 13, errmsg: 'not authorized on scs_auth' } : undefined,
    });
    const sentences: readonly (readonly [Record<string, string>, RegExp])[] = [
      [database(''), /Expected tls=true in SCS_DATABASE_URL/],
      [
        { SCS_DATABASE_URL: `mongodb://127.0.0.1:1/?tls=true` },
        /Expected a user and a password in SCS_DATABASE_URL/,
      ],
      [{ SCS_DATABASE_CA_FILE: path('no.pem') }, /a file that can be read for SCS_DATABASE_CA_FILE/],
      [
        { ...database(QUICK), SCS_DATABASE_CA_FILE: otherCa },
        /^The certificate of the database .* not trusted/,
      ],
      [database(TLS, 'hunter22'), /^The database at .* does not accept the user or the password$/],
      [{ SCS_DATABASE_URL: fake.url() }, /^The database at .* does not let this user in: not authorized/],
      [
        { SCS_DATABASE_URL: `mongodb://a:b@127.0.0.1:1/?x${QUICK}`.replace('?x&', '?') },
        /^Nothing listens at/,
      ],
      [
        { SCS_DATABASE_URL: `mongodb://a:b@no.invalid/?x${QUICK}`.replace('?x&', '?') },
        /host of the database .* is not known$/,
      ],
      [{ SCS_REDIS_URL: redis.url().replace('rediss:', 'redis:') }, /Expected rediss:\/\/ in SCS_REDIS_URL/],
      [{ SCS_REDIS_URL: `rediss://localhost:${redis.port}` }, /Expected a password in SCS_REDIS_URL/],
      [{ SCS_REDIS_CA_FILE: path('no.pem') }, /a file that can be read for SCS_REDIS_CA_FILE/],
      [{ SCS_REDIS_CA_FILE: otherCa }, /: the certificate of Redis .* not trusted/],
      [
        { SCS_REDIS_URL: redis.url({ password: 'hunter22' }) },
        /: Redis at .* does not accept the user or the password$/,
      ],
      [
        { SCS_REDIS_URL: redis.url({ user: 'reads-only' }) },
        /: the user at Redis .* may not do what is needed/,
      ],
      [{ SCS_REDIS_URL: 'rediss://a:b@127.0.0.1:1' }, /: nothing listens at 127.0.0.1:1$/],
      [{ SCS_REDIS_URL: 'rediss://a:b@no.invalid' }, /: the host of no.invalid:6379 is not known$/],
    ];
    const all: string[] = [];
    for (const [change, sentence] of sentences) {
      const text = (await said(change)) ?? 'it started';
      expect(text).toMatch(sentence);
      expect(text).not.toMatch(/hunter22|a:b@/);
      expect(text).not.toContain(redis.password);
      all.push(text);
    }
    expect(new Set(all).size).toBe(sentences.length);
    await fake.close();
  }, 120_000);
});
