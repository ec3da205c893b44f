import { openDocuments } from '#libs/documents';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificates.js';
import { freePort } from '../support/child.js';
import { startFakeMongo } from '../support/fake-mongo.js';
import { lackingMongo, type MongoServer, startFerretDb } from '../support/ferretdb.js';
import { skipped } from '../support/needs.js';
import { temporaryFolder } from '../support/temporary.js';

const HOUR = 60 * 60 * 1000;

/** What openDocuments says to an address; it would look for a server for longer, in case it is just starting. */
const refusalOf = async (url: string): Promise<unknown> =>
  openDocuments(`${url}${url.includes('?') ? '&' : '?'}serverSelectionTimeoutMS=700`, {
    service: 'auth',
  }).then(
    (documents) => documents.close().then(() => 'opened'),
    (error: unknown) => error,
  );

const reason = lackingMongo();

describe.skipIf(reason)(`a MongoDB that cannot be used says why in one sentence:${skipped(reason)}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let server: MongoServer;
  let secure: MongoServer;
  let caFile: string;
  let otherCaFile: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const [own, other] = [0, 1].map(() =>
      makeCertificate(new Date(Date.now() - HOUR), new Date(Date.now() + HOUR)),
    );
    const files = { cert: join(folder.path, 'cert.pem'), key: join(folder.path, 'key.pem') };
    const made = await own;
    await writeFile(files.cert, made?.cert ?? '');
    await writeFile(files.key, made?.key ?? '');
    caFile = files.cert;
    otherCaFile = join(folder.path, 'other.pem');
    await writeFile(otherCaFile, (await other)?.cert ?? '');
    server = await startFerretDb();
    secure = await startFerretDb({ port: await freePort(), certFile: files.cert, keyFile: files.key });
  }, 300_000);
  afterAll(async () => {
    await Promise.all([server.stop(), secure.stop()]);
    await folder.remove();
  });

  it('a wrong password, which is not repeated', async () => {
    const refusal = await refusalOf(server.url({ password: 'hunter22' }));
    expect(refusal).toMatchObject({
      code: 'unavailable',
      reason: 'database_password',
      message: expect.stringContaining('does not accept the user or the password'),
    });
    expect(String(refusal)).not.toContain('hunter22');
  });

  it('no password where one is needed', async () => {
    const url = server.url().replace(/\/\/[^@]*@/, '//');
    expect(await refusalOf(url)).toMatchObject({ code: 'unavailable', reason: 'database_forbidden' });
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

  it('a server that takes TLS only, asked without', async () => {
    expect(await refusalOf(secure.url())).toMatchObject({ reason: 'database_needs_tls' });
  });

  it('a certificate of an authority that is not trusted', async () => {
    expect(await refusalOf(secure.url({ more: '&tls=true' }))).toMatchObject({
      reason: 'database_certificate',
    });
    const other = `&tls=true&tlsCAFile=${encodeURIComponent(otherCaFile)}`;
    expect(await refusalOf(secure.url({ more: other }))).toMatchObject({ reason: 'database_certificate' });
    const own = `&tls=true&tlsCAFile=${encodeURIComponent(caFile)}`;
    expect(await refusalOf(secure.url({ more: own }))).toBe('opened');
  });

  it('a server without TLS, asked with it', async () => {
    const fake = await startFakeMongo({ replicaSet: 'rs' });
    expect(await refusalOf(`mongodb://a:b@127.0.0.1:${fake.port}/?tls=true`)).toMatchObject({
      reason: 'database_no_tls',
    });
    await fake.close();
  });

  it('nobody at the address, or no such host', async () => {
    expect(await refusalOf('mongodb://127.0.0.1:1/')).toMatchObject({ reason: 'database_refused' });
    expect(await refusalOf('mongodb://a:b@nowhere.invalid/?tls=true')).toMatchObject({
      reason: 'database_unknown_host',
    });
  });

  it('another machine without TLS, or without a password, before anything is sent', async () => {
    expect(await refusalOf('mongodb://a:b@db.example.org/')).toMatchObject({
      reason: 'database_without_tls',
    });
    expect(await refusalOf('mongodb://db.example.org/?tls=true')).toMatchObject({
      reason: 'database_without_password',
    });
  });

  it('an address that is none, without the password in it', async () => {
    const refusal = await refusalOf('mongodb://me:p@s1/w2rd@localhost/');
    expect(refusal).toMatchObject({ code: 'bad_request', reason: 'bad_database_url' });
    expect(String(refusal)).not.toMatch(/s1|w2rd/);
  });

  it('a single server, which has no transactions', async () => {
    const fake = await startFakeMongo({});
    expect(await refusalOf(`mongodb://127.0.0.1:${fake.port}/`)).toMatchObject({
      reason: 'database_without_transactions',
      message: expect.stringContaining('not a replica set'),
    });
    await fake.close();
  });

  it('a server that is too old', async () => {
    const fake = await startFakeMongo({ replicaSet: 'rs', version: '5.0.31' });
    expect(await refusalOf(`mongodb://127.0.0.1:${fake.port}/`)).toMatchObject({
      reason: 'database_too_old',
    });
    await fake.close();
  });

  it('a stand-in without the switch of the tests, and the switch without a stand-in', async () => {
    const url = server.url().replace('&scsTestOnly=sequential-commits', '');
    expect(await refusalOf(url)).toMatchObject({ reason: 'database_without_transactions' });
    const fake = await startFakeMongo({ replicaSet: 'rs' });
    const real = `mongodb://127.0.0.1:${fake.port}/?scsTestOnly=sequential-commits`;
    expect(await refusalOf(real)).toMatchObject({ reason: 'database_without_transactions' });
    await fake.close();
  });
});
