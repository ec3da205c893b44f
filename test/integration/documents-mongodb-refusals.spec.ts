import { messageOf } from '#libs/core';
import { openDocuments } from '#libs/documents';
import { MongoClient } from 'mongodb';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { thingsSpec } from '../../libs/documents/src/testing/things.js';
import { CertificateAuthority, type TestCertificate } from '../support/certificates.js';
import { startFakeMongo } from '../support/fake-mongo.js';
import { lackingMongo, type MongoServer, startFerretDb } from '../support/ferretdb.js';
import { skipped } from '../support/needs.js';
import { freePort } from '../support/ports.js';
import { temporaryFolder } from '../support/temporary.js';

/** What openDocuments says to an address of somebody who answers, however busy the machine is. */
const answerOf = async (url: string): Promise<unknown> =>
  openDocuments(url, { service: 'auth' }).then(
    (documents) => documents.close().then(() => 'opened'),
    (error: unknown) => error,
  );

/** Where no connection comes about: it would look for a server for longer, in case it is just starting. */
const refusalOf = (url: string): Promise<unknown> =>
  answerOf(`${url}${url.includes('?') ? '&' : '?'}serverSelectionTimeoutMS=700`);

const reason = lackingMongo();

describe.skipIf(reason)(`a MongoDB that cannot be used says why in one sentence:${skipped(reason)}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let server: MongoServer;
  let secure: MongoServer;
  let authority: CertificateAuthority;
  let caFile: string;
  let otherCaFile: string;
  const trusting = (file: string): string => `&tls=true&tlsCAFile=${encodeURIComponent(file)}`;

  beforeAll(async () => {
    folder = await temporaryFolder();
    authority = await CertificateAuthority.make();
    const made = await authority.issue();
    const files = { cert: join(folder.path, 'cert.pem'), key: join(folder.path, 'key.pem') };
    caFile = join(folder.path, 'ca.pem');
    otherCaFile = join(folder.path, 'other.pem');
    await writeFile(files.cert, made.cert);
    await writeFile(files.key, made.key);
    await writeFile(caFile, authority.cert);
    await writeFile(otherCaFile, (await CertificateAuthority.make()).cert);
    server = await startFerretDb();
    secure = await startFerretDb({ port: await freePort(), certFile: files.cert, keyFile: files.key });
  }, 300_000);
  afterAll(async () => {
    await Promise.all([server.stop(), secure.stop()]);
    await folder.remove();
  });

  it('a wrong password, which is not repeated', async () => {
    const refusal = await answerOf(server.url({ password: 'hunter22' }));
    expect(refusal).toMatchObject({
      code: 'unavailable',
      reason: 'database_password',
      message: expect.stringContaining('does not accept the user or the password'),
    });
    expect(String(refusal)).not.toContain('hunter22');
  });

  it('111: no password where one is needed', async () => {
    const url = server.url().replace(/\/\/[^@]*@/, '//');
    expect(await answerOf(url)).toMatchObject({ code: 'unavailable', reason: 'database_forbidden' });
  });

  it('a stale or missing socket', async () => {
    const gone = await startFerretDb();
    await gone.stop('SIGKILL');
    expect(await refusalOf(gone.url())).toMatchObject({ reason: 'database_stale_socket' });
    const stale = join(folder.path, 'stale.sock');
    const dead = createServer().listen(stale);
    await once(dead, 'listening');
    const url = `mongodb://a:b@${encodeURIComponent(stale)}/`;
    dead.close();
    expect(await refusalOf(url)).toMatchObject({ reason: 'database_stale_socket' });
  });

  it('111: a certificate of an authority that is not trusted', async () => {
    expect(await refusalOf(secure.url({ more: '&tls=true' }))).toMatchObject({
      reason: 'database_certificate',
      message: expect.stringContaining('comes from an authority that is not trusted') as string,
    });
    expect(await refusalOf(secure.url({ more: trusting(otherCaFile) }))).toMatchObject({
      reason: 'database_certificate',
      remedy: 'Name the authority of the database in SCS_DATABASE_CA_FILE',
    });
    expect(await answerOf(secure.url({ more: trusting(caFile) }))).toBe('opened');
  });

  it('a wrong password over TLS', async () => {
    expect(await answerOf(secure.url({ password: 'hunter22', more: trusting(caFile) }))).toMatchObject({
      reason: 'database_password',
    });
  });

  it.each<[string, () => Promise<TestCertificate>, object]>([
    [
      'that has expired',
      () => authority.issue(undefined, { until: -0.5 }),
      { reason: 'database_certificate_expired', remedy: expect.stringContaining('Renew it') },
    ],
    [
      'that is not valid yet',
      () => authority.issue(undefined, { from: 1 }),
      { reason: 'database_certificate_not_yet_valid', remedy: expect.stringContaining('clock') },
    ],
    [
      'of other names',
      () => authority.issue(['db.example.org', '192.0.2.1']),
      {
        reason: 'database_certificate_of_another_name',
        message: expect.stringContaining('is good for other names (db.example.org, 192.0.2.1)'),
      },
    ],
  ])('a certificate %s', async (_, issue, refusal) => {
    const other = createTlsServer(await issue()).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    expect(
      await refusalOf(`mongodb://a:b@127.0.0.1:${port}/?x${trusting(caFile)}`.replace('?x&', '?')),
    ).toMatchObject({ code: 'unavailable', ...refusal });
    other.close();
  });

  it('a file of authorities that is not there', async () => {
    const missing = join(folder.path, 'no.pem');
    expect(await refusalOf(secure.url({ more: trusting(missing) }))).toMatchObject({
      reason: 'database_ca_file',
      message: expect.stringContaining(`${missing} for the database`) as string,
    });
  });

  it('a server that wants a certificate of its clients', async () => {
    const made = await authority.issue();
    const options = { ...made, requestCert: true, rejectUnauthorized: true, ca: authority.cert };
    const other = createTlsServer(options).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const url = `mongodb://a:b@127.0.0.1:${port}/?tls=true&tlsCAFile=${encodeURIComponent(caFile)}`;
    expect(await refusalOf(url)).toMatchObject({ reason: 'database_wants_certificate' });
    other.close();
  });

  it('a server without TLS, asked with it', async () => {
    const fake = await startFakeMongo({ replicaSet: 'rs' });
    expect(await refusalOf(`mongodb://a:b@127.0.0.1:${fake.port}/?tls=true`)).toMatchObject({
      reason: 'database_no_tls',
    });
    await fake.close();
  });

  it('nobody at the address, no such host, and one that says nothing', async () => {
    expect(await refusalOf('mongodb://a:b@127.0.0.1:1/?tls=true')).toMatchObject({
      reason: 'database_refused',
    });
    expect(await refusalOf('mongodb://a:b@nowhere.invalid/?tls=true')).toMatchObject({
      reason: 'database_unknown_host',
    });
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    expect(await refusalOf(`mongodb://a:b@127.0.0.1:${port}/?tls=true`)).toMatchObject({
      reason: 'database_unreachable',
    });
    silent.close();
  });

  it.each([
    ['mongodb://a:b@db.example.org/', 'database_without_tls'],
    ['mongodb://a:b@127.0.0.1:1/', 'database_without_tls'],
    ['mongodb://a:b@localhost/?tls=false', 'database_without_tls'],
    ['mongodb://db.example.org/?tls=true', 'database_without_password'],
    ['mongodb://127.0.0.1:1/?tls=true', 'database_without_password'],
    ['mongodb://a:@127.0.0.1:1/?tls=true', 'database_without_password'],
    ['mongodb://%2Ftmp%2Fmongodb-1.sock/', 'database_without_password'],
    ['mongodb://a:b@127.0.0.1:1/?tls=true&tlsInsecure=true', 'database_not_checked'],
    ['mongodb://a:b@127.0.0.1:1/?tls=true&tlsAllowInvalidHostnames=true', 'database_not_checked'],
    ['mongodb://a:b@127.0.0.1:1/?tls=true&tlsAllowInvalidCertificates=true', 'database_not_checked'],
  ])('%s, before anything is sent: %s', async (url, why) => {
    expect(await refusalOf(url)).toMatchObject({ code: 'bad_request', reason: why });
  });

  it('a user who may look, but not write', async () => {
    const fake = await startFakeMongo({
      replicaSet: 'rs',
      answer: (command) =>
        'create' in command || 'createIndexes' in command
          ? {
              ok: 0,
              code: 13,
              codeName: 'Unauthorized',
              errmsg: 'not authorized on scs_auth to execute command',
            }
          : undefined,
    });
    const documents = await openDocuments(fake.url(), { service: 'auth' });
    documents.collection(thingsSpec('things'));
    await expect(documents.ready()).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'database_forbidden',
      remedy: 'Give the user in SCS_DATABASE_URL the role readWrite on that database: scs db init does it',
    });
    await documents.close();
    await fake.close();
  });

  it('an address that is none, without the password in it', async () => {
    const refusal = await refusalOf('mongodb://me:p@s1/w2rd@localhost/');
    expect(refusal).toMatchObject({ code: 'bad_request', reason: 'bad_database_url' });
    expect(String(refusal)).not.toMatch(/s1|w2rd/);
  });

  it('a single server, which has no transactions', async () => {
    const fake = await startFakeMongo({});
    expect(await answerOf(fake.url())).toMatchObject({
      reason: 'database_without_transactions',
      message: expect.stringContaining('not a replica set'),
    });
    await fake.close();
  });

  it('a server that is too old', async () => {
    const fake = await startFakeMongo({ replicaSet: 'rs', version: '5.0.31' });
    expect(await answerOf(fake.url())).toMatchObject({
      reason: 'database_too_old',
    });
    await fake.close();
  });

  it('a stand-in without the switch of the tests, and the switch without a stand-in', async () => {
    const url = server.url().replace('&scsTestOnly=sequential-commits', '');
    expect(await answerOf(url)).toMatchObject({ reason: 'database_without_transactions' });
    const fake = await startFakeMongo({ replicaSet: 'rs' });
    const real = fake.url('?scsTestOnly=sequential-commits');
    expect(await answerOf(real)).toMatchObject({ reason: 'database_without_transactions' });
    await fake.close();
  });
});

describe.skipIf(reason)(`a MongoDB with TLS and passwords refuses by itself:${skipped(reason)}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let server: MongoServer;
  let ca: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const authority = await CertificateAuthority.make();
    ca = authority.cert;
    const made = await authority.issue();
    const files = { certFile: join(folder.path, 'cert.pem'), keyFile: join(folder.path, 'key.pem') };
    await writeFile(files.certFile, made.cert);
    await writeFile(files.keyFile, made.key);
    server = await startFerretDb({ port: await freePort(), ...files });
  }, 300_000);
  afterAll(async () => {
    await server.stop();
    await folder.remove();
  });

  /** Where it answers: as long as the driver waits by itself. */
  const PATIENT = { serverSelectionTimeoutMS: 30_000 };
  /** As somebody who does not use this program. */
  const ask = async (url: string, options: object): Promise<unknown> => {
    const client = new MongoClient(url.replace('&scsTestOnly=sequential-commits', ''), {
      serverSelectionTimeoutMS: 700,
      maxPoolSize: 1,
      ...options,
    });
    try {
      return (await client.db('scs_auth').collection('tokens').find().toArray()).length;
    } catch (error) {
      return messageOf(error);
    } finally {
      await client.close();
    }
  };
  const withoutUser = (): string =>
    server
      .url()
      .replace(/\/\/[^@]*@/, '//')
      .replace(/\?.*$/, '');

  it('takes a client with both', async () => {
    expect(await ask(server.url(), { tls: true, ca, ...PATIENT })).toBe(0);
  });

  it('who comes without TLS', async () => {
    expect(await ask(server.url(), { tls: false })).toMatch(/closed|reset|timed out/i);
  });

  it('who comes without a password, or with a wrong one', async () => {
    expect(await ask(withoutUser(), { tls: true, ca, ...PATIENT })).toMatch(
      /requires authentication|Authentication/i,
    );
    expect(await ask(server.url({ password: 'wrong' }), { tls: true, ca, ...PATIENT })).toMatch(
      /Authentication failed/i,
    );
  });
});

describe('the user of a service', () => {
  it.each([
    [[{ role: 'readWrite', db: 'scs_auth' }], []],
    [[], []],
    [
      [
        { role: 'readWrite', db: 'scs_auth' },
        { role: 'readWrite', db: 'scs_library' },
      ],
      [expect.stringContaining('rights that it does not need (readWrite on scs_library)')],
    ],
    [[{ role: 'root', db: 'admin' }], [expect.stringContaining('(root on admin)')]],
  ])('with the roles %j is warned of when it has more than it needs', async (roles, warnings) => {
    const fake = await startFakeMongo({
      replicaSet: 'rs',
      answer: (command) =>
        'connectionStatus' in command ? { ok: 1, authInfo: { authenticatedUserRoles: roles } } : undefined,
    });
    const said: string[] = [];
    const documents = await openDocuments(fake.url(), { service: 'auth', log: (line) => said.push(line) });
    expect(said).toEqual(warnings);
    await documents.close();
    await fake.close();
  });

  it('on a socket is never sent to the addresses of the replica set, where there is no TLS', async () => {
    const fake = await startFakeMongo({
      replicaSet: 'rs',
      answer: (command) =>
        /^(hello|ismaster)$/i.test(Object.keys(command)[0] ?? '')
          ? { ...HELLO, hosts: ['db.invalid:27017'], me: 'db.invalid:27017', primary: 'db.invalid:27017' }
          : undefined,
    });
    expect(await answerOf(fake.url())).toBe('opened');
    await fake.close();
  });
});

const HELLO = {
  helloOk: true,
  ismaster: true,
  isWritablePrimary: true,
  setName: 'rs',
  setVersion: 1,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  minWireVersion: 0,
  maxWireVersion: 21,
  ok: 1,
};
