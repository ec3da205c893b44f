import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { World } from '#apps/sing/src/testing/world';
import { WebModule } from '#apps/web/src/web.module';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type StartedApp, startApp } from '../../support/app.js';
import { addKey, clearSigned, getKeys, newTestKey, type TestKey, userIdsOf } from '../../support/pgp-keys.js';
import { SIF_FIXTURES } from '../../support/sif-fixtures.js';
import { TestAuthority } from '../../support/tokens.js';

/** `sing key …` and `sing verify` against a real keystore. */
let authority: TestAuthority;
let app: StartedApp;
let token: string;
/** Paths of all requests but those of discovery. */
let asked: string[] = [];
/** The versions that a client said it has. */
let marks: unknown[] = [];
beforeAll(async () => {
  authority = await TestAuthority.make();
  app = await startApp({
    modules: [KeystoreModule, WebModule, authority.module()],
    env: { SCS_SERVICES: 'keystore,web', ...Object.fromEntries(URLS) },
  });
  app.server.http.on('request', ({ url = '', headers }: IncomingMessage) => {
    if (!url.startsWith('/assets/')) asked.push(url);
    if (headers['if-none-match'] !== undefined) marks.push(headers['if-none-match']);
  });
});
afterAll(() => app.stop());

const URLS = ['AUTH', 'LIBRARY', 'BUILDER'].map((name) => [`SCS_${name}_URL`, 'https://localhost:1']);

let world: World;
beforeEach(async () => {
  token = await authority.token({ username: 'ann', organisations: { physics: 'writer' } });
  world = await World.create();
  await world.instance({ url: app.url, token, ca: app.ca });
  asked = [];
  marks = [];
});
afterEach(() => world.close());

const sing = (...words: string[]) => world.ok(words);
const json = async (...words: string[]): Promise<Record<string, unknown>[]> =>
  (JSON.parse((await sing(...words)).stdout) as { keys: Record<string, unknown>[] }).keys;
/** A key pair in the ring of the person, and on the key server. */
async function pushed(name: string, options = {}): Promise<TestKey> {
  const key = await newTestKey(name, options);
  await writeFile(world.path('secret.asc'), key.secret.armor());
  await sing('key', 'import', 'secret.asc');
  await sing('key', 'push', key.fingerprint);
  asked = [];
  return key;
}
const served = async ({ fingerprint }: TestKey): Promise<string[] | undefined> => {
  const [key] = await getKeys(app, `0x${fingerprint}`);
  return key === undefined ? undefined : userIdsOf(key);
};

describe('the owner of a key', () => {
  it('proves it, hides user ids, shows them again, and removes the key', async () => {
    const key = await pushed('Owner', {
      userIds: [{ name: 'Owner', email: 'owner@example.org' }, { email: 'private@example.org' }],
    });
    const refused = await world.run(['key', 'hide', key.fingerprint, 'private@example.org']);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('sing key claim')]);
    expect((await sing('key', 'claim', 'owner@example.org')).stderr).toContain('is yours');
    await sing('key', 'hide', key.fingerprint, 'private@example.org');
    expect(await served(key)).toEqual(['Owner <owner@example.org>']);
    const unknown = await world.run(['key', 'hide', key.fingerprint, 'nobody@example.org']);
    expect([unknown.status, unknown.stderr]).toEqual([2, expect.stringContaining('has no user id')]);
    const [shown] = await json('key', 'hide', '--show', '--json', key.fingerprint, 'private@example.org');
    expect(shown).toMatchObject({ fingerprint: key.fingerprint.toUpperCase(), role: 'owner' });
    expect((await served(key))?.toSorted()).toEqual(
      ['Owner <owner@example.org>', '<private@example.org>'].toSorted(),
    );
    const asks = await world.run(['key', 'delete', key.fingerprint]);
    expect([asks.status, asks.stderr]).toEqual([2, expect.stringContaining('--force')]);
    expect((await json('key', 'delete', '--force', '--json', key.fingerprint))[0]).toMatchObject({
      outcome: 'removed',
    });
    expect(await served(key)).toBeUndefined();
  });

  it('signs elsewhere what the key server wants signed', async () => {
    const key = await newTestKey('Card');
    await addKey(app, key.armored, token);
    const wanted = await world.run(['key', 'claim', key.fingerprint]);
    expect([wanted.status, wanted.stderr]).toEqual([2, expect.stringContaining('--challenge')]);
    const { stdout: challenge } = await sing('key', 'claim', '--challenge', key.fingerprint);
    await writeFile(world.path('signed.asc'), await clearSigned(key, challenge.trimEnd()));
    await sing('key', 'claim', '--signed', 'signed.asc', key.fingerprint);
    const stdin = await clearSigned(
      key,
      (await sing('key', 'claim', '--challenge', key.fingerprint)).stdout.trimEnd(),
    );
    const again = await world.ok(['key', 'claim', '--signed', '-', '--json', key.fingerprint], { stdin });
    expect(JSON.parse(again.stdout)).toMatchObject({ keys: [{ owned: true, role: 'owner' }] });
  });

  it('is asked for a token, and for a key that there is', async () => {
    await rm(world.path('state', 'token'));
    expect((await world.run(['key', 'claim', '0'.repeat(40)])).stderr).toContain('not logged in');
    await world.instance({ url: app.url, token, ca: app.ca });
    const words = await world.run(['key', 'delete', '--force', 'nobody']);
    expect([words.status, words.stderr]).toEqual([2, expect.stringContaining('sing key search')]);
    expect((await world.run(['key', 'delete', '--force', '0'.repeat(40)])).stderr).toContain('no such key');
  });
});

describe('keyrings', () => {
  it('are filled, shown and emptied', async () => {
    const key = await pushed('Member');
    await sing('key', 'claim', key.fingerprint);
    expect((await world.run(['key', 'keyring', 'show', 'physics'])).status).toBe(2);
    expect(await json('key', 'keyring', 'add', '--json', 'physics', 'member@example.org')).toMatchObject([
      { organisation: 'physics', username: 'ann' },
    ]);
    await rm(world.path('state', 'token'));
    expect(await json('key', 'keyring', 'show', '--json', 'physics')).toMatchObject([
      {
        fingerprint: key.fingerprint.toUpperCase(),
        userIds: ['Member <member@example.org>'],
        revoked: false,
      },
    ]);
    expect((await sing('key', 'keyring', 'show', 'physics')).stdout).toContain('Member <member@example.org>');
    await writeFile(
      world.path('physics.asc'),
      (await sing('key', 'keyring', 'show', '--armor', 'physics')).stdout,
    );
    expect((await sing('key', 'import', 'physics.asc')).stderr).toContain('already there');
    await world.instance({ url: app.url, token, ca: app.ca });
    await sing('key', 'keyring', 'remove', 'physics', key.fingerprint);
    expect((await world.run(['key', 'keyring', 'show', 'physics'])).stderr).toContain(
      'no keyring of physics',
    );
    const other = await world.run(['key', 'keyring', 'add', 'chemistry', key.fingerprint]);
    expect([other.status, other.stderr]).toEqual([2, expect.stringContaining('do not belong to it')]);
  });
});

it('push says that a key ends soon, and pushes it', async () => {
  const own = await newTestKey('Pushing', { expiresIn: 10 * 86_400 });
  await writeFile(world.path('own.asc'), own.secret.armor());
  await sing('key', 'import', 'own.asc');
  const { stderr } = await sing('key', 'push', own.fingerprint);
  expect(stderr).toContain(`The key ${own.fingerprint.toUpperCase()} ends on`);
  expect(stderr).toContain('gpg --quick-set-expire');
  expect(await served(own)).toEqual(['Pushing <pushing@example.org>']);
  const foreign = await newTestKey('Foreign', { expiresIn: 10 * 86_400 });
  await writeFile(world.path('foreign.asc'), foreign.armored);
  await sing('key', 'import', 'foreign.asc');
  expect((await sing('key', 'push', foreign.fingerprint)).stderr).toContain(
    'Its owner can give it a later end',
  );
});

it('expiring lists the own keys that end soon', async () => {
  const key = await pushed('Ending', { expiresIn: 10 * 86_400 });
  expect((await json('key', 'expiring', '--json')).map(({ fingerprint }) => fingerprint)).toContain(
    key.fingerprint.toUpperCase(),
  );
  expect((await sing('key', 'expiring')).stdout).toContain('Ending <ending@example.org>');
  expect((await sing('key', 'expiring', '--within', '5')).stderr).toContain('None of your keys');
});

describe('refresh', () => {
  it('fetches what changed and nothing else, in one conditional request for all keys', async () => {
    const [one, two] = [await pushed('First'), await pushed('Second')];
    await sing('key', 'refresh');
    const questions = (): string[] => asked.filter((path) => path.startsWith('/v1/keys/changes'));
    expect([questions().length, asked.length]).toEqual([1, 3]);
    asked = [];
    const quiet = await sing('key', 'refresh');
    expect(quiet.stderr).toContain('2 keys: 0 brought up to date, 2 up to date already');
    expect(asked).toEqual(questions());
    await addKey(app, await two.revoked(), token);
    asked = [];
    const news = await sing('key', 'refresh');
    expect(news.stderr).toContain(`(${two.fingerprint.toUpperCase()}) is REVOKED`);
    expect(asked).toEqual([...questions(), expect.stringContaining(two.fingerprint)]);
    const listed = await json('key', 'list', '--json');
    expect(Object.fromEntries(listed.map(({ fingerprint, revoked }) => [fingerprint, revoked]))).toEqual({
      [one.fingerprint.toUpperCase()]: false,
      [two.fingerprint.toUpperCase()]: true,
    });
    expect((await sing('key', 'refresh')).stderr).not.toContain('REVOKED');
  });

  it('fetches again what the own copy has lost, and with --all everything', async () => {
    const key = await pushed('Lost');
    await addKey(app, await key.revoked(), token);
    await sing('key', 'refresh');
    await sing('key', 'remove', key.fingerprint);
    await writeFile(world.path('old.asc'), key.armored);
    await sing('key', 'import', 'old.asc');
    const [again] = await json('key', 'refresh', '--json');
    expect(again).toMatchObject({ status: 'updated', revoked: true, becameRevoked: true });
    asked = [];
    await sing('key', 'refresh', '--all', key.fingerprint);
    expect(asked).toHaveLength(2);
  });

  it('says which keys the key server does not have', async () => {
    const [gone, local] = [await pushed('Gone'), await newTestKey('Local')];
    await writeFile(world.path('local.asc'), local.armored);
    await sing('key', 'import', 'local.asc');
    await sing('key', 'delete', '--force', gone.fingerprint);
    const keys = await json('key', 'refresh', '--json');
    expect(Object.fromEntries(keys.map(({ userId, status }) => [userId, status]))).toEqual({
      'Gone <gone@example.org>': 'removed',
      'Local <local@example.org>': 'unknown',
    });
  });

  it('fetches every key from a key server that does not tell what changed', async () => {
    const key = await newTestKey('Plain');
    await writeFile(world.path('plain.asc'), key.armored);
    await sing('key', 'import', 'plain.asc');
    const revoked = await key.revoked();
    const url = await world.serve(({ url: path = '' }, response) =>
      path.startsWith('/pks/') ? response.end(revoked) : response.writeHead(404).end('{}'),
    );
    const { stderr } = await sing('key', 'refresh', '--url', url);
    expect(stderr).toContain('is REVOKED');
  });
});

describe('verify', () => {
  const questions = (): number => asked.filter((path) => path.startsWith('/v1/keys/changes')).length;
  const signed = async (name: string): Promise<TestKey> => {
    const key = await pushed(name);
    await copyFile(join(SIF_FIXTURES, 'images/unsigned.sif'), world.path('image.sif'));
    await sing('sign', '--fingerprint', key.fingerprint, 'image.sif');
    asked = [];
    return key;
  };

  it('learns that a key in the ring was revoked since, and asks once in some minutes', async () => {
    const key = await signed('Trusted');
    await addKey(app, await key.revoked(), token);
    asked = [];
    const failed = await world.run(['verify', 'image.sif']);
    expect(failed.status).toBe(255);
    expect(failed.stderr).toContain('in your key ring is REVOKED');
    expect(failed.stderr).toContain('sing key refresh');
    expect(questions()).toBe(1);
    expect((await world.run(['verify', 'image.sif'])).status).toBe(255);
    expect(questions()).toBe(1);
    // Whoever wants to be asked nothing decides alone.
    expect((await sing('verify', '--local', 'image.sif')).stdout).toContain('[LOCAL]');
    expect(questions()).toBe(1);
    await sing('key', 'refresh');
    expect((await world.run(['verify', '--local', 'image.sif'])).status).toBe(255);
  });

  it('of a key that is good asks once, and then not for a while', async () => {
    await signed('Good');
    for (let time = 0; time < 3; time += 1)
      expect((await sing('verify', 'image.sif')).stdout).toContain('[LOCAL]');
    expect([questions(), asked.length]).toEqual([1, 1]);
    expect((await readFile(await cacheFile(), 'utf8')).length).toBeGreaterThan(10);
  });

  it('asks again with the mark of the answer when that is old, and is told that nothing changed', async () => {
    const key = await signed('Old');
    await sing('verify', 'image.sif');
    const file = await cacheFile();
    const kept = JSON.parse(await readFile(file, 'utf8')) as {
      heard: Record<string, { asked: number; etag: string }>;
    };
    const heard = kept.heard[key.fingerprint.toUpperCase()];
    if (heard === undefined) throw new Error('nothing was kept');
    heard.asked -= 10 * 60 * 1000;
    await writeFile(file, JSON.stringify(kept));
    expect(marks).toEqual([]);
    await sing('verify', 'image.sif');
    await sing('verify', 'image.sif');
    expect([questions(), marks]).toEqual([2, [heard.etag]]);
    // A file that is none of ours is as good as none.
    await writeFile(file, '{"version":1,"heard":{"x":1}}');
    await sing('verify', 'image.sif');
    expect(questions()).toBe(3);
  });

  it('goes on with a warning when the key server is not reached, and does not wait for it again', async () => {
    await signed('Lonely');
    let requests = 0;
    const silent = await world.serve(() => (requests += 1));
    const begin = performance.now();
    const first = await sing('verify', '--url', silent, 'image.sif');
    expect(first.stdout).toContain('[LOCAL]');
    expect(first.stderr).toMatch(
      /was revoked since you have it is not known: .* \(no answer within 3 seconds\)/,
    );
    const waited = performance.now() - begin;
    const again = performance.now();
    const second = await sing('verify', '--url', silent, 'image.sif');
    expect(second.stderr).toContain('it did not answer a moment ago');
    expect([requests, performance.now() - again < waited]).toEqual([1, true]);
  });

  it('asks nobody where there is no remote, and is content with a key server that does not tell', async () => {
    await signed('Alone');
    const plain = await world.serve((_, response) => response.writeHead(404).end('{}'));
    expect((await sing('verify', '--url', plain, 'image.sif')).stderr).not.toContain('WARNING');
    world.env['SCS_HOME'] = world.path('nothing');
    expect((await sing('verify', 'image.sif')).stderr).not.toContain('WARNING');
    expect(questions()).toBe(0);
  });

  async function cacheFile(): Promise<string> {
    const folder = world.path('.singularity/cache/keystore');
    const [name] = await readdir(folder);
    if (name === undefined) throw new Error('nothing was kept');
    return join(folder, name);
  }
});
