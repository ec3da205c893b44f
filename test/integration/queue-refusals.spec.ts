import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { messageOf, newObjectId } from '#libs/core';
import { checkQueueAtStart, JobQueue, JobWorker } from '#libs/queue';
import { CertificateAuthority, type TestCertificate } from '../support/certificates.js';
import { lacking, skipped } from '../support/needs.js';
import { type RedisOnTls, startRedisOnTls } from '../support/redis-tls.js';
import { startRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';

const reason = lacking('redis-server');

/** What a start says to an address. */
const refusalOf = (url: string): Promise<unknown> =>
  checkQueueAtStart(url).then(
    () => 'good',
    (error: unknown) => error,
  );

describe.skipIf(reason)(`a Redis of the site, with TLS and users${skipped(reason)}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let authority: CertificateAuthority;
  let redis: RedisOnTls;
  let trust: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    authority = await CertificateAuthority.make();
    const caFile = join(folder.path, 'ca.pem');
    await writeFile(caFile, authority.cert);
    trust = `?tlsCAFile=${encodeURIComponent(caFile)}`;
    redis = await startRedisOnTls(await authority.issue());
  });
  afterAll(async () => {
    await redis.stop();
    await folder.remove();
  });

  it('takes jobs and gives them to workers', async () => {
    const url = redis.url() + trust;
    expect(await refusalOf(url)).toBe('good');
    const queue = JobQueue.open(url);
    await queue.check();
    const done = Promise.withResolvers<string>();
    const worker = await JobWorker.start({
      url,
      lane: 'tls',
      concurrency: 1,
      log: () => undefined,
      handlers: [
        {
          name: 'build',
          handle: ({ id }) => {
            done.resolve(id);
            return Promise.resolve();
          },
        },
      ],
    });
    const id = newObjectId();
    await queue.add('build', { id }, { lane: 'tls' });
    expect(await done.promise).toBe(id);
    await worker.close();
    await queue.close();
  });

  it('refuses by itself who comes without TLS, without a password or with a wrong one', async () => {
    const ask = async (options: object): Promise<string> => {
      const client = new Redis({
        host: 'localhost',
        port: redis.port,
        maxRetriesPerRequest: 0,
        retryStrategy: () => null,
        ...options,
      });
      const errors: string[] = [];
      client.on('error', (error) => errors.push(messageOf(error)));
      try {
        return String(await client.get('scs:x'));
      } catch (error) {
        return [messageOf(error), ...errors].join('; ');
      } finally {
        client.disconnect();
      }
    };
    const tls = { ca: authority.cert };
    const { password } = redis;
    expect(await ask({ tls, username: 'scs', password })).toBe('null');
    expect(await ask({ username: 'scs', password })).toMatch(/closed|reset|EPIPE/i);
    expect(await ask({ tls })).toMatch(/NOAUTH/);
    expect(await ask({ tls, username: 'scs', password: 'wrong' })).toMatch(/WRONGPASS/);
    expect(await ask({ tls, username: 'default', password })).toMatch(/WRONGPASS/);
  });

  it('says that its authority is not trusted', async () => {
    expect(await refusalOf(redis.url())).toMatchObject({
      code: 'unavailable',
      reason: 'queue_certificate',
      message: expect.stringContaining('comes from an authority that is not trusted') as string,
      remedy: 'Name the authority of Redis in SCS_REDIS_CA_FILE',
    });
    const other = join(folder.path, 'other.pem');
    await writeFile(other, (await CertificateAuthority.make()).cert);
    expect(await refusalOf(`${redis.url()}?tlsCAFile=${encodeURIComponent(other)}`)).toMatchObject({
      reason: 'queue_certificate',
    });
  });

  it('says that the password is wrong, without repeating it', async () => {
    const refusal = await refusalOf(redis.url({ password: 'hunter22' }) + trust);
    expect(refusal).toMatchObject({ reason: 'queue_password', remedy: 'Correct SCS_REDIS_URL' });
    expect(String(refusal)).not.toContain('hunter22');
  });

  it.each([
    ['other-keys', /key/],
    ['no-scripts', /eval/],
    ['no-info', /info/],
    ['no-channels', /channel/],
    ['reads-only', /set/],
  ] as const)('says which right is missing: %s', async (user, what) => {
    const refusal = await refusalOf(redis.url({ user }) + trust);
    expect(refusal).toMatchObject({
      reason: 'queue_forbidden',
      message: expect.stringMatching(
        /^Builds cannot be queued: the user at Redis localhost:\d+ may not do what is needed \(.+\)$/,
      ) as string,
      remedy: 'Allow it ~scs:* &* +@all -@dangerous +info +client|setname +client|list',
    });
    expect(messageOf(refusal)).toMatch(what);
  });

  it.each<[string, () => Promise<TestCertificate>, object]>([
    [
      'that has expired',
      () => authority.issue(undefined, { until: -0.5 }),
      { reason: 'queue_certificate_expired', remedy: expect.stringContaining('Renew it') },
    ],
    [
      'that is not valid yet',
      () => authority.issue(undefined, { from: 1 }),
      { reason: 'queue_certificate_not_yet_valid', remedy: expect.stringContaining('clock') },
    ],
    [
      'of other names',
      () => authority.issue(['redis.example.org']),
      {
        reason: 'queue_certificate_of_another_name',
        message: expect.stringContaining('is good for other names (redis.example.org)'),
      },
    ],
  ])('says what is wrong with a certificate %s', async (_, issue, refusal) => {
    const other = createTlsServer(await issue()).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    expect(await refusalOf(`rediss://u:p@localhost:${port}${trust}`)).toMatchObject(refusal);
    other.close();
  });

  it('says that a server speaks no TLS, and that one wants a certificate', async () => {
    const plain = createServer((socket) => socket.end('-ERR no\r\n')).listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const { port } = plain.address() as AddressInfo;
    expect(await refusalOf(`rediss://u:p@localhost:${port}${trust}`)).toMatchObject({ reason: 'queue_tls' });
    plain.close();
    const strict = await startRedisOnTls(await authority.issue(), { wantsCertificate: true });
    expect(await refusalOf(strict.url() + trust)).toMatchObject({ reason: 'queue_wants_certificate' });
    await strict.stop();
  });
});

describe.skipIf(reason)(`a Redis that is not there${skipped(reason)}`, () => {
  it('is waited for, and then said to be missing', async () => {
    expect(await refusalOf('rediss://u:p@127.0.0.1:1')).toMatchObject({ reason: 'queue_refused' });
  });

  it('has no host of that name', async () => {
    expect(await refusalOf('rediss://u:p@nowhere.invalid')).toMatchObject({ reason: 'queue_unknown_host' });
  });

  it('comes while a start waits for it', async () => {
    const redis = await startRedis();
    await redis.kill();
    const outcome = refusalOf(redis.url);
    await redis.restart();
    expect(await outcome).toBe('good');
    await redis.stop();
  });
});
