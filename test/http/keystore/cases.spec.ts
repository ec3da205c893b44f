import { connect } from 'node:tls';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as openpgp from 'openpgp';
import { request } from 'undici';
import { type Packet, readArmor, readPackets, writeArmor } from '#libs/pgp';
import { InTime } from '#apps/keystore/src/in-time';
import { wkdName } from '#apps/keystore/src/wkd/name';
import { ManualClock } from '#libs/core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { bytesOf, Owner } from '../../../libs/pgp/src/testing/maker.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { rawRequest } from '../../support/raw-request.js';
import {
  type CaseKey,
  hkpWorld,
  type HkpWorld,
  keysWithEqualShortId,
  keyWithLeadingZero,
  multipart,
  newKey,
  withUserIds,
} from './hkp-world.js';

/* The cases of keystore contract §6 that are about HTTP, by their numbers. */

let [A, B, Z, twins]: [CaseKey, CaseKey, CaseKey, [CaseKey, CaseKey]] = [] as never;
beforeAll(async () => {
  A = await newKey({ userIds: [{ name: 'Ann Lee', email: 'ann@example.org' }], rsaBits: 4096 });
  B = await newKey({ userIds: [{ name: 'Bob', email: 'a+b@example.org' }], signingSubkey: true });
  Z = await keyWithLeadingZero();
  twins = await keysWithEqualShortId();
}, 120_000);

const keysIn = async (armoredKeys: unknown): Promise<string[]> =>
  (await openpgp.readKeys({ armoredKeys: armoredKeys as string })).map((key) => key.getFingerprint());
const hex = (key: CaseKey): string => key.fingerprint.toUpperCase();
const lines = (body: unknown): string[] => (body as string).split('\n');

describe.each(DATABASES)('HKP on $name', ({ open }) => {
  let database: TestDatabase;
  let world: HkpWorld;
  beforeAll(async () => {
    database = await open();
    world = await hkpWorld({ SCS_WKD_DOMAINS: 'example.org', ...database.env });
    for (const key of [A, B, Z, ...twins]) await world.added(key.armored);
  });
  afterAll(async () => {
    await world.stop();
    await database.stop();
  });
  const get = (search: string, headers = {}) => world.lookup(`op=get&search=${search}`, headers);
  const index = (search: string, more = '') => world.lookup(`op=index&options=mr&search=${search}${more}`);
  /** What a program sends that writes its requests itself. */
  const raw = (target: string, head = '') =>
    rawRequest(world.app, `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${head}Connection: close\r\n\r\n`);
  /** Last-Modified is said when nothing can change in its second any more. */
  const settled = () =>
    expect
      .poll(async () => (await get(`0x${hex(A)}`)).headers['last-modified'], { timeout: 10_000 })
      .toBeDefined();
  const added = async (userIds: readonly string[]): Promise<CaseKey> => {
    const key = await newKey({ userIds: [{ name: 'Nobody' }] });
    await world.added(await withUserIds(key, userIds));
    return key;
  };

  const pubs = (body: unknown): string[] =>
    lines(body)
      .filter((line) => line.startsWith('pub:'))
      .map((line) => line.split(':')[1] ?? '');

  const v2 = (path: string, method = 'GET') => world.app.request(`/pks/v2/${path}`, { method });

  /** The helper of other tests reads text. */
  const binary = async (path: string): Promise<{ type: unknown; keys: readonly string[]; cors: unknown }> => {
    const { headers, body } = await request(`${world.app.url}${path}`, { dispatcher: world.app.dispatcher });
    const keys = await openpgp.readKeys({ binaryKeys: new Uint8Array(await body.arrayBuffer()) });
    return {
      type: headers['content-type'],
      keys: keys.map((key) => key.getFingerprint()),
      cors: headers['access-control-allow-origin'],
    };
  };

  it('1, 2: a whole fingerprint gives one certificate in one armor block, however it is written', async () => {
    const answer = await world.lookup(`op=get&options=mr&search=0x${hex(A)}`);
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/pgp-keys']);
    expect(answer.body).toMatch(
      /^-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n[^]*\n-----END PGP PUBLIC KEY BLOCK-----\n$/,
    );
    expect(answer.body).not.toContain('\r');
    expect(await keysIn(answer.body)).toEqual([A.fingerprint]);
    const sorted = await world.lookup(`exact=on&op=get&search=0x${A.fingerprint}`);
    expect(sorted.body).toBe(answer.body);
  });

  it('3, 4: key ids, and fingerprints without 0x or with spaces', async () => {
    const spaced = hex(A).replaceAll(/(.{4})/g, '$1%20');
    for (const search of [`0x${A.keyId}`, `0x${A.shortId}`, hex(A), spaced, spaced.replaceAll('%20', '+')])
      expect([search, await keysIn((await get(search)).body)]).toEqual([search, [A.fingerprint]]);
  });

  it('5: a signing subkey leads to the certificate, by fingerprint and id', async () => {
    for (const subkey of B.subkeys)
      for (const search of [`0x${subkey}`, `0x${subkey.slice(-16)}`])
        expect(await keysIn((await get(search)).body)).toEqual([B.fingerprint]);
  });

  it('6, 7: an id without its leading zeros, as verify sends it', async () => {
    const short = Z.keyId.replace(/^0+/, '');
    expect(await keysIn((await get(`0x${short}`)).body)).toEqual([Z.fingerprint]);
    expect((await get('0x123456789')).status).toBe(404);
  });

  it.each(['0x1234567', '0x12345678901234567', `0x${'1'.repeat(41)}`, '0xZZ', '0x'])(
    '8: %s is no id',
    async (search) => {
      const { status, body } = await get(search);
      expect([status, body.error.code]).toEqual([400, 400]);
    },
  );

  it('9, 12: a fingerprint of version 3, and one that nobody has', async () => {
    for (const search of [`0x${'1'.repeat(32)}`, `0x${'1'.repeat(40)}`]) {
      const { status, body } = await get(search);
      expect([status, body.error.code]).toEqual([404, 404]);
    }
  });

  it('10, 11, 104: version 6 for who asks by the whole fingerprint or by HKP v2, and for nobody else', async () => {
    const V6 = await newKey({ userIds: [{ name: 'Vera Six', email: 'vera@example.org' }], version6: true });
    await world.added(V6.armored);
    expect(V6.fingerprint).toHaveLength(64);
    const upper = V6.fingerprint.toUpperCase();
    for (const search of [`0x${V6.fingerprint}`, upper])
      expect(await keysIn((await get(search)).body)).toEqual([V6.fingerprint]);
    expect(lines((await index(`0x${upper}`)).body)[1]).toMatch(new RegExp(`^pub:${upper}:27:256:`));
    for (const search of ['vera@example.org', 'vera', `0x${upper.slice(0, 16)}`, `0x${upper.slice(-16)}`]) {
      expect([search, (await get(search)).status]).toEqual([search, 404]);
      expect([search, (await index(search)).status]).toEqual([search, 404]);
    }
    // Beside one of version 4 with the same address.
    const four = await newKey({ userIds: [{ name: 'Vera Four', email: 'vera@example.org' }] });
    await world.added(four.armored);
    expect(await keysIn((await get('vera@example.org')).body)).toEqual([four.fingerprint]);
    for (const path of [`06${V6.fingerprint}`, `06/${upper}`])
      expect(await binary(`/pks/v2/certs/by-vfingerprint/${path}`)).toMatchObject({ keys: [V6.fingerprint] });
    for (const id of [upper.slice(0, 16), upper.slice(-16)])
      expect((await v2(`certs/by-keyid/${id}`)).status).toBe(404);
    const { keys } = await binary('/pks/v2/certs/by-identity/vera%40example.org');
    expect(keys.toSorted()).toEqual([four.fingerprint, V6.fingerprint].toSorted());
    expect((await v2('index/vera%40example.org')).body).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ version: 6, fingerprint: V6.fingerprint }),
        expect.objectContaining({ version: 4, fingerprint: four.fingerprint }),
      ]),
    );
  });

  it('84: a primary key that gpg does not know is given alone, and beside others not at all', async () => {
    const userIds = [{ name: 'Newton', email: 'newton@example.org' }];
    const [alone, other] = [await newKey({ userIds, newAlgorithms: true }), await newKey({ userIds })];
    await world.added(alone.armored);
    for (const search of [`0x${alone.fingerprint}`, `0x${alone.keyId}`, 'newton@example.org'])
      expect(await keysIn((await get(search)).body)).toEqual([alone.fingerprint]);
    await world.added(other.armored);
    expect(await keysIn((await get('newton@example.org')).body)).toEqual([other.fingerprint]);
    expect(await keysIn((await get(`0x${alone.fingerprint}`)).body)).toEqual([alone.fingerprint]);
    expect(pubs((await index('newton')).body)).toHaveLength(2);
  });

  it.each([
    ['13: no op', '', 400],
    ['13: an empty op', 'op=&search=x', 400],
    ['13: no search', 'op=get', 400],
    ['13: an empty search', 'op=get&search=', 400],
    ['14: an unknown op', 'op=foo&search=x', 501],
    ['14: a gossip op', 'op=hget&search=x', 501],
    ['14: an experimental op', 'op=x-bar', 501],
    ['16: an operator', 'search[$ne]=x&op=get', 400],
    ['16: an array', 'op=get&search[]=a', 400],
    ['17: a pattern', 'op=get&search=.*', 404],
    ['17: an anchored pattern', 'op=get&search=^a', 404],
    ['17: an operator as a term', 'op=get&search=%24where', 404],
    ['18: a NUL', 'op=get&search=a%00b', 400],
    ['19: 600 bytes', `op=get&search=${'a'.repeat(600)}`, 400],
    ['29: a domain', 'op=index&search=@example.org', 400],
    ['29: a domain as a word', 'op=index&search=example.org', 404],
    ['29: a part of a domain', 'op=index&search=example', 404],
    ['29: a domain to get', 'op=get&search=%3C@example.org%3E', 400],
    ['32: nothing found', 'op=index&options=mr&search=nobodyatall', 404],
  ])('%s', async (_, query, status) => {
    const answer = await world.lookup(query);
    expect([answer.status, answer.body.error.code]).toEqual([status, status]);
    expect(answer.headers['content-type']).toContain('application/json');
  });

  it('15: what it does not know is ignored, and the first of two terms counts', async () => {
    const plain = await index(`0x${hex(A)}`);
    const odd = await world.lookup(
      `op=index&options=mr,foo,nm&search=0x${hex(A)}&search=0x${hex(B)}&x-what=1&limit=3`,
    );
    expect([odd.status, odd.body]).toEqual([200, plain.body]);
  });

  it('19: a term of 10,000 bytes is refused before anything is done', async () => {
    const answers = vi.spyOn(world.app.get(InTime), 'answer');
    onTestFinished(() => answers.mockRestore());
    expect((await get('a'.repeat(10_000))).status).toBe(414);
    expect(answers).not.toHaveBeenCalled();
    // By which every look-up is answered.
    expect((await get('a'.repeat(200))).status).toBe(404);
    expect(answers).toHaveBeenCalledOnce();
  });

  it('20: HEAD answers with the same headers and nothing else', async () => {
    const path = `/pks/lookup?op=get&search=0x${hex(A)}`;
    await settled();
    const [whole, head] = [await world.app.request(path), await world.app.request(path, { method: 'HEAD' })];
    // How long the connection stays is between the client and it.
    const passing = new Set(['date', 'connection', 'keep-alive']);
    const shown = ({ headers }: typeof whole) =>
      Object.entries(headers).filter(([name]) => !passing.has(name));
    expect([head.status, head.body]).toEqual([200, '']);
    expect(shown(head)).toEqual(shown(whole));
    expect(head.headers['content-length']).toBe(String((whole.body as string).length));
  });

  it('21: HTTP/1.0 with nothing but a Host gets the whole body at once', async () => {
    const whole = await get(`0x${hex(A)}`);
    const old = await rawRequest(
      world.app,
      `GET /pks/lookup?op=get&options=mr&search=0x${hex(A)} HTTP/1.0\r\nHost: localhost\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\r\n`,
    );
    expect([old.status, old.text]).toEqual([200, whole.body]);
    expect(old.head).not.toMatch(/transfer-encoding|content-encoding/i);
  });

  it('22: nothing is compressed, whether the client could read that or not', async () => {
    for (const headers of [{ 'accept-encoding': 'gzip, deflate, br' }, {}]) {
      const answer = await get(`0x${hex(A)}`, headers);
      expect(answer.headers['content-encoding']).toBeUndefined();
      expect(answer.body).toContain('BEGIN PGP');
      expect(answer.headers['vary']).toContain('Accept-Encoding');
    }
  });

  it('23: whatever name the client believes that it has reached', async () => {
    const answer = await rawRequest(
      world.app,
      `GET /pks/lookup?op=get&search=0x${hex(A)} HTTP/1.1\r\nHost: something.invalid:443\r\nConnection: close\r\n\r\n`,
    );
    expect([answer.status, await keysIn(answer.text)]).toEqual([200, [A.fingerprint]]);
  });

  it.each(['Bearer', 'Bearer nonsense', `Basic ${Buffer.from('ann:bad').toString('base64')}`])(
    '24: a read with "%s" is answered',
    async (authorization) => {
      expect((await get(`0x${hex(A)}`, { authorization })).status).toBe(200);
    },
  );

  it('24: a read with an expired token is answered', async () => {
    const now = Math.floor(Date.now() / 1000);
    const expired = await world.authority.token({ username: 'ann', claims: { exp: now - 10 } });
    expect(
      (await world.app.request(`/pks/lookup?op=get&search=0x${hex(A)}`, { token: expired })).status,
    ).toBe(200);
  });

  it('25: a plus in an address, as gpg and as Go write it', async () => {
    for (const search of ['a+b@example.org', 'a%2Bb%40example.org']) {
      const answer = await raw(`/pks/lookup?op=get&search=${search}`);
      expect([answer.status, await keysIn(answer.text)]).toEqual([200, [B.fingerprint]]);
    }
  });

  it('26, 27: blanks as plus or percent, and angle brackets as they are', async () => {
    for (const search of ['Ann+Lee', 'Ann%20Lee', '<ann@example.org>']) {
      const answer = await raw(`/pks/lookup?op=get&search=${search}`);
      expect([search, answer.status, await keysIn(answer.text)]).toEqual([search, 200, [A.fingerprint]]);
    }
  });

  it('28: exact takes whole addresses and whole user ids, in any case', async () => {
    expect((await get('ANN@Example.ORG&exact=on')).status).toBe(200);
    expect((await get('nn@example.org')).status).toBe(404);
    expect((await get('nn@example.org&exact=on')).status).toBe(404);
    const key = await added(['Signing Service']);
    expect(await keysIn((await get('signing%20SERVICE&exact=on')).body)).toEqual([key.fingerprint]);
    expect((await get('signing&exact=on')).status).toBe(404);
    expect((await get('signing')).status).toBe(200);
  });

  it('30, 41: one line of seven fields, ended by LF', async () => {
    const { headers, body } = await world.lookup(
      `fingerprint=on&op=index&options=mr&search=0x${A.shortId}&x-pagesize=256`,
    );
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(lines(body)).toEqual([
      'info:1:1',
      expect.stringMatching(new RegExp(`^pub:${hex(A)}:1:4096:\\d+::$`)),
      expect.stringMatching(/^uid:Ann Lee <ann@example\.org>:\d+::$/),
      '',
    ]);
  });

  it('31: three of a word, always in the same order, the newest first', async () => {
    for (const name of ['Trio One', 'Trio Two', 'Trio Three']) await added([name]);
    const { body } = await index('trio');
    expect(lines(body)[0]).toBe('info:1:3');
    expect((body as string).match(/^pub:/gm)).toHaveLength(3);
    const created = lines(body)
      .filter((line) => line.startsWith('pub:'))
      .map((line) => Number(line.split(':')[4]));
    expect(created).toEqual(created.toSorted((a, b) => b - a));
    expect((await index('trio')).body).toBe(body);
  });

  it('33, 35: pages follow each other without a gap, whatever is added meanwhile', async () => {
    for (let n = 0; n < 5; n += 1) await added([`Paged Number${n}`]);
    const seen: string[] = [];
    let more = '&x-pagesize=2';
    for (const count of [2, 2, 1]) {
      const answer = await index('paged', more);
      expect(lines(answer.body)[0]).toBe(`info:1:${count}`);
      seen.push(...pubs(answer.body));
      const next = answer.headers['x-hkp-next-page-token'];
      expect(next === undefined).toBe(count === 1);
      more = `&x-pagesize=2&x-pagetoken=${String(next)}`;
      // The newest: it would be on the first page.
      if (seen.length === 2) await added(['Unpaged', 'Another']);
    }
    expect(new Set(seen).size).toBe(5);
    for (const size of ['0', '-1', 'abc', '999999']) {
      const answer = await index('paged', `&x-pagesize=${size}`);
      expect([answer.status, pubs(answer.body).length]).toEqual([200, 5]);
    }
  });

  it('34: a page token is good for its own search, and for nothing else', async () => {
    for (let n = 0; n < 3; n += 1) await added([`Token Thing${n}`]);
    const token = String((await index('token', '&x-pagesize=1')).headers['x-hkp-next-page-token']);
    expect((await index('token', `&x-pagesize=1&x-pagetoken=${token}`)).status).toBe(200);
    const flipped = (token.startsWith('A') ? 'B' : 'A') + token.slice(1);
    for (const [search, wrong] of [
      ['thing0', token],
      ['token', flipped],
      ['token', 'x'],
      ['token', `${token}=`],
      ['token', 'A'.repeat(7000)],
    ] as const)
      expect([wrong.length, (await index(search, `&x-pagetoken=${wrong}`)).status]).toEqual([
        wrong.length,
        400,
      ]);
    expect((await index('token', `&x-pagetoken=${'A'.repeat(10_000)}`)).status).toBe(414);
    // A megabyte is more than any head of a request: it is not even read to its end.
    const million = await raw(`/pks/lookup?op=index&search=token&x-pagetoken=${'A'.repeat(1_000_000)}`).catch(
      () => undefined,
    );
    expect([431, undefined]).toContain(million?.status);
    expect((await index('token')).status).toBe(200);
  });

  it('36, 37: what would break a line is written with its number, and read back as it was', async () => {
    const odd = ['A: 100% + <x@y.org>', 'line\nbreak\r\u001b[31m\ttab <z@y.org>'];
    const key = await added(odd);
    const { body } = await index(`0x${key.fingerprint}`);
    const uids = lines(body).filter((line) => line.startsWith('uid:'));
    expect(lines(body)).toHaveLength(5);
    expect(uids.map((line) => line.split(':')[1])).toEqual(
      expect.arrayContaining(['A%3A 100%25 %2B <x@y.org>', 'line%0Abreak%0D%1B[31m%09tab <z@y.org>']),
    );
    const read = uids.map((line) => decodeURIComponent(line.split(':')[1] ?? ''));
    expect(read.toSorted()).toEqual(odd.toSorted());
    const [first] = await openpgp.readKeys({
      armoredKeys: (await get(`0x${key.fingerprint}`)).body as string,
    });
    expect(first?.getUserIDs().toSorted()).toEqual(odd.toSorted());
  });

  it('38: other scripts are themselves', async () => {
    const key = await added(['Ricarda Müller 林 <r@example.net>']);
    expect((await index(`0x${key.fingerprint}`)).body).toContain('uid:Ricarda Müller 林 <r@example.net>:');
    for (const search of ['müller', 'MULLER', '林'])
      expect([search, (await get(encodeURIComponent(search))).status]).toEqual([
        search,
        search === '林' ? 404 : 200,
      ]);
  });

  it('39: a user id is text in a page, which runs nothing', async () => {
    const key = await added(['<script>alert(1)</script>']);
    for (const operation of ['index', 'vindex']) {
      const { headers, body } = await world.lookup(`op=${operation}&search=0x${key.fingerprint}`, {
        accept: 'text/html',
      });
      expect(headers['content-type']).toBe('text/html; charset=utf-8');
      expect(headers['content-security-policy']).toContain("default-src 'none'");
      expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
      expect(body).not.toContain('<script');
    }
  });

  it('40, 42: revoked is r, expired is e, both are r; a revoked user id says it of itself', async () => {
    const userIds = [{ name: 'State' }];
    const [revoked, expired, both] = [
      await newKey({ userIds }),
      await newKey({ userIds, expires: 30 }),
      await newKey({ userIds, expires: 30 }),
    ];
    for (const key of [await revoked.revoked(), expired.armored, await both.revoked()])
      expect((await world.add(key)).status).toBe(200);
    const flags: (string | undefined)[] = [];
    for (const key of [revoked, expired, both])
      flags.push(lines((await index(`0x${key.fingerprint}`)).body)[1]?.split(':')[6]);
    expect(flags).toEqual(['r', 'e', 'r']);
    const named = await newKey({ userIds: [{ name: 'Kept' }, { name: 'Taken' }] });
    const taken = await openpgp.readPrivateKey({ armoredKey: named.secret.armor() });
    const user = taken.users[1];
    if (user === undefined) throw new Error('no user');
    taken.users[1] = await user.revoke(taken.keyPacket as never, {
      flag: openpgp.enums.reasonForRevocation.userIDInvalid,
    });
    expect((await world.add(taken.toPublic().armor())).status).toBe(200);
    const { body } = await index(`0x${named.fingerprint}`);
    expect(lines(body)[1]).toMatch(/::$/);
    expect(lines(body).find((line) => line.startsWith('uid:Taken'))).toMatch(/:r$/);
    expect(lines(body).find((line) => line.startsWith('uid:Kept'))).toMatch(/::$/);
  });

  it('43: a key expires without being written again', async () => {
    const clock = new ManualClock(new Date());
    const [own, key] = [await open(), await newKey({ userIds: [{ name: 'Soon' }], expires: 3600 })];
    const later = await hkpWorld(own.env, undefined, undefined, clock);
    try {
      await later.added(key.armored);
      const flag = async (): Promise<string | undefined> =>
        lines((await later.lookup(`op=index&options=mr&search=0x${key.fingerprint}`)).body)[1]?.split(':')[6];
      expect(await flag()).toBe('');
      clock.advance(3600 * 1000);
      expect(await flag()).toBe('e');
    } finally {
      await later.stop();
      await own.stop();
    }
  });

  it('44, 45: vindex for programs is index; browsers get pages, others text', async () => {
    const text = (await index(`0x${hex(A)}`)).body;
    expect((await world.lookup(`op=vindex&options=mr&search=0x${hex(A)}`)).body).toBe(text);
    const accept = 'text/html,application/xhtml+xml,*/*;q=0.8';
    const page = await world.lookup(`op=index&search=0x${hex(A)}`, { accept });
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect((await world.lookup(`op=index&search=0x${hex(A)}`, { accept: '*/*' })).body).toBe(text);
    expect((await world.lookup(`op=index&options=mr&search=0x${hex(A)}`, { accept })).body).toBe(text);
    const json = await world.lookup(`op=index&options=json&search=0x${hex(A)}`, { accept });
    expect(json.body).toMatchObject([{ version: 4, fingerprint: A.fingerprint, isRevoked: false }]);
  });

  it('46: two keys with one 32-bit id are both shown, and in one block', async () => {
    const [one, two] = twins;
    expect(one.shortId).toBe(two.shortId);
    const both = [one.fingerprint, two.fingerprint].toSorted();
    const listed = pubs((await index(`0x${one.shortId}`)).body).map((print) => print.toLowerCase());
    expect(listed.toSorted()).toEqual(both);
    const { body } = await get(`0x${one.shortId}`);
    expect((body as string).match(/BEGIN PGP/g)).toHaveLength(1);
    expect((await keysIn(body)).toSorted()).toEqual(both);
    expect(await keysIn((await get(`0x${one.fingerprint}`)).body)).toEqual([one.fingerprint]);
  });

  it('47: a name that looks like an id', async () => {
    const key = await added(['Deadbeef']);
    expect(await keysIn((await get('deadbeef')).body)).toEqual([key.fingerprint]);
    expect((await get('0xdeadbeef')).status).toBe(404);
  });

  const post = (type: string | undefined, body: string | Buffer, more: Record<string, string> = {}) =>
    world.app.request('/pks/add', {
      method: 'POST',
      headers: { ...(type === undefined ? {} : { 'content-type': type }), ...more },
      body,
      token: world.token,
    });
  const FORM = 'application/x-www-form-urlencoded';

  it('48, 50: a key is taken with 200, by every way to show a token', async () => {
    const basic = Buffer.from(`ann:${world.token}`).toString('base64');
    for (const authorization of [`BEARER ${world.token}`, `bearer ${world.token}`, `Basic ${basic}`]) {
      const { status, body } = await world.add(A.armored, { authorization });
      expect([status, body]).toEqual([200, `${hex(A)} unchanged\n`]);
    }
  });

  it('49: a key without a good token is not taken', async () => {
    const key = await newKey({ userIds: [{ name: 'Unwanted' }] });
    const now = Math.floor(Date.now() / 1000);
    const expired = await world.authority.token({ username: 'ann', claims: { exp: now - 10 } });
    for (const authorization of ['', 'Bearer', 'Bearer nonsense', `Bearer ${expired}`]) {
      const { status, headers } = await world.add(key.armored, { authorization });
      expect([authorization.length, status]).toEqual([authorization.length, 401]);
      expect(headers['www-authenticate']).toContain('Bearer');
    }
    expect((await get(`0x${key.fingerprint}`)).status).toBe(404);
  });

  it('62: no keys at all', async () => {
    for (const [body, status] of [
      ['keytext=', 400],
      ['other=1', 400],
      ['', 400],
      ['keytext=hello', 422],
    ] as const)
      expect([body, (await post(FORM, body)).status]).toEqual([body, status]);
  });

  it('63: other types, and compressed bodies', async () => {
    for (const type of ['application/json', 'text/plain', undefined])
      expect((await post(type, A.armored)).status).toBe(415);
    const encoded = { 'content-encoding': 'gzip' };
    expect((await post('application/pgp-keys', A.armored, encoded)).status).toBe(415);
    expect((await post('application/pgp-keys', A.armored, { 'content-encoding': 'identity' })).status).toBe(
      200,
    );
  });

  it('64: forms of parts, and bodies that are keys, armored and not', async () => {
    const armored = Buffer.from(A.armored);
    const binary = Buffer.from((await openpgp.readKey({ armoredKey: A.armored })).write());
    for (const [content, file] of [
      [armored, 'key.asc'],
      [armored, undefined],
      [binary, 'key.gpg'],
    ] as const) {
      const { type, body } = multipart('keytext', content, file);
      expect([file, (await post(type, body)).body]).toEqual([file, `${hex(A)} unchanged\n`]);
    }
    for (const type of ['application/pgp-keys', 'application/pgp', 'Application/PGP-Keys; armor=no'])
      for (const body of [armored, binary]) expect((await post(type, body)).status).toBe(200);
    expect((await post('multipart/form-data; boundary=x', 'nonsense')).status).toBe(400);
    expect((await post('multipart/form-data', 'nonsense')).status).toBe(400);
  });

  it('65, 66: what forms and mailers do to armor', async () => {
    const block = A.armored;
    const [head = '', ...rest] = block.split('\n\n');
    for (const [what, body] of [
      ['plus as it is', `keytext=${block}`],
      ['CRLF', `keytext=${encodeURIComponent(block.replaceAll('\n', '\r\n'))}`],
      ['text around it', `keytext=${encodeURIComponent(`Dear all,\n\n${block}\n\n-- \nAnn\n`)}`],
      ['no checksum', `keytext=${encodeURIComponent(block.replace(/\n=.{4}\n/, '\n'))}`],
      ['a wrong checksum', `keytext=${encodeURIComponent(block.replace(/\n=.{4}\n/, '\n=AAAA\n'))}`],
      ['headers', `keytext=${encodeURIComponent(`${head}\nComment: x\nX-Odd: y\n\n${rest.join('\n\n')}`)}`],
      [
        '67: another label',
        `keytext=${encodeURIComponent(block.replaceAll('PUBLIC KEY BLOCK', 'ARMORED FILE'))}`,
      ],
    ] as const)
      expect([what, (await post(FORM, body)).status]).toEqual([what, 200]);
  });

  it('68: what is no key block', async () => {
    const block = A.armored;
    for (const [what, text] of [
      ['truncated', block.slice(0, block.length / 2)],
      ['indented', block.replaceAll(/^/gm, '  ')],
      ['a message', block.replaceAll('PUBLIC KEY BLOCK', 'MESSAGE')],
      ['empty', '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n'],
    ] as const)
      expect([what, (await post(FORM, `keytext=${encodeURIComponent(text)}`)).status]).toEqual([what, 422]);
  });

  it('69: too much is refused, and who goes on sending is hung up on', async () => {
    const large = await post(FORM, `keytext=${'a'.repeat(3 * 1024 * 1024)}`);
    expect([large.status, large.body.error.code, large.headers['connection']]).toEqual([413, 413, 'close']);
    const answer = await endless(world);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('E13: what Apptainer prints of an upload is one line of letters for each key', async () => {
    const key = await newKey({ userIds: [{ name: 'Printed\u001b[31m' }] });
    for (const outcome of ['inserted', 'unchanged']) {
      const { headers, body } = await world.add(key.armored);
      expect([headers['content-type'], body]).toEqual([
        'text/plain; charset=utf-8',
        `${hex(key)} ${outcome}\n`,
      ]);
    }
    const { body } = await world.add(
      `${key.armored}\n${key.armored.replaceAll('PUBLIC KEY BLOCK', '\u001b[31m')}`,
    );
    expect(body).toMatch(/^[\x20-\x7e]+\n[\x20-\x7e]+\n$/);
  });

  it('answers in JSON whoever asks for it', async () => {
    const key = await newKey({ userIds: [{ name: 'Jay' }] });
    const json = { accept: 'application/json' };
    const named = [{ version: 4, fingerprint: key.fingerprint }];
    expect((await world.add(key.armored, json)).body).toMatchObject({ inserted: named, invalid: [] });
    expect((await world.add(key.armored, json)).body).toMatchObject({ inserted: [], ignored: named });
  });

  it('61: a good key beside a broken one is taken, and both are told', async () => {
    const good = await newKey({ userIds: [{ name: 'Good' }] });
    const bad = Buffer.from((await openpgp.readKey({ armoredKey: Z.armored })).write());
    // A bit of the user id: its own key does not vouch for it any more.
    const at = bad.indexOf('Zero');
    bad.writeUInt8(bad.readUInt8(at) ^ 1, at);
    const broken = openpgp.armor(openpgp.enums.armor.publicKey, bad);
    const both = await world.add(`${good.armored}\n${broken}`);
    expect([both.status, lines(both.body)[0]]).toEqual([200, `${hex(good)} inserted`]);
    expect(lines(both.body)[1]).toMatch(/^not stored: /);
    expect((await world.add(broken)).status).toBe(422);
    const eleven = await Promise.all(
      Array.from({ length: 11 }, () => newKey({ userIds: [{ name: 'Many' }] })),
    );
    const all = await world.add(eleven.map(({ armored }) => armored).join('\n'));
    expect([all.status, all.body.error.message]).toEqual([413, expect.stringContaining('10')]);
    expect((await get('many')).status).toBe(404);
    const both60 = await world.add(
      eleven
        .slice(0, 2)
        .map(({ armored }) => armored)
        .join('\n'),
    );
    expect([both60.status, lines(both60.body)]).toEqual([200, [expect.any(String), expect.any(String), '']]);
  });

  it('97: what an administrator has blocked does not come again', async () => {
    const key = await newKey({ userIds: [{ name: 'Blocked' }] });
    await world.added(key.armored);
    const admin = await world.authority.token({ username: 'admin', administrator: true });
    const path = `/v1/keys/blocked/${key.fingerprint}`;
    expect((await world.app.request(path, { method: 'PUT', token: admin })).status).toBe(200);
    expect((await world.add(key.armored)).status).toBe(403);
    expect((await get(`0x${key.fingerprint}`)).status).toBe(404);
    expect((await v2(`certs/by-vfingerprint/04${key.fingerprint}`)).status).toBe(404);
  });

  it('98: a key without any user id is nothing that stock clients could read', async () => {
    const key = await newKey({ userIds: [{ name: 'Redacted' }] });
    const bare = key.secret.toPublic();
    bare.users = [];
    expect((await world.add(bare.armor())).status).toBe(422);
    expect((await get(`0x${key.fingerprint}`)).status).toBe(404);
  });

  it('98: one that says something about itself is stored, and given when it is revoked', async () => {
    const owner = new Owner();
    const { fingerprint } = owner.key.facts;
    const send = async (...packets: Packet[]): Promise<unknown> =>
      (await world.add(writeArmor(bytesOf(packets)))).body;
    const name = fingerprint.toUpperCase();
    expect(await send(owner.primary, owner.sign(0x1f))).toBe(`${name} inserted\n`);
    // The library of singularity refuses a key of version 4 without a user id, and everything that comes behind it.
    for (const search of [`0x${fingerprint}`, `0x${fingerprint.slice(-16)}`, `0x${fingerprint.slice(-8)}`]) {
      expect((await get(search)).status).toBe(404);
      expect((await index(search)).status).toBe(404);
    }
    expect(await send(owner.sign(0x20))).toBe(`${name} updated\n`);
    const { body } = await get(`0x${fingerprint}`);
    const packets = readArmor(body as string).flatMap((bytes) => readPackets(bytes));
    expect(packets.map(({ tag, body: one }) => (tag === 2 ? one[1] : -tag))).toEqual([-6, 0x20, 0x1f]);
    expect(lines((await index(`0x${fingerprint}`)).body).slice(1)).toEqual([
      expect.stringMatching(/^pub:.*:r$/),
      '',
    ]);
  });

  it('99: the version, also behind a prefix', async () => {
    for (const path of ['/version', '/x/version', '/x/y/version']) {
      const { status, body, headers } = await world.app.request(path);
      expect([status, typeof body.data.version]).toEqual([200, 'string']);
      expect(headers['access-control-allow-origin']).toBe('*');
    }
  });

  it('100: the start page tells a good credential from a bad one', async () => {
    for (const [authorization, status] of [
      [undefined, 200],
      [`Bearer ${world.token}`, 200],
      ['Bearer nonsense', 401],
    ] as const) {
      const headers = authorization === undefined ? {} : { authorization };
      expect((await world.app.request('/', { headers })).status).toBe(status);
    }
  });

  it('101: other paths and methods', async () => {
    const ask = async (path: string, method = 'GET') => {
      const { status, headers, body } = await world.app.request(path, { method });
      return [status, body.error?.code ?? body.length > 0, headers['allow']];
    };
    expect(await ask('/pks/foo')).toEqual([404, 404, undefined]);
    expect(await ask('/pks')).toEqual([404, 404, undefined]);
    expect(await ask(`/pks/lookup/?op=get&search=0x${hex(A)}`)).toEqual([200, true, undefined]);
    expect(await ask(`//pks//lookup?op=get&search=0x${hex(A)}`)).toEqual([200, true, undefined]);
    expect(await ask('/pks/lookup', 'POST')).toEqual([405, 405, 'GET, HEAD, OPTIONS']);
    expect(await ask('/pks/lookup', 'DELETE')).toEqual([405, 405, 'GET, HEAD, OPTIONS']);
    expect(await ask('/pks/add')).toEqual([405, 405, 'OPTIONS, POST']);
    expect(await ask('/pks/hashquery', 'POST')).toEqual([501, 501, undefined]);
    expect(await ask('/pks/health')).toEqual([200, false, undefined]);
  });

  it('102: browsers may ask', async () => {
    const { status, headers } = await world.app.request('/pks/add', {
      method: 'OPTIONS',
      headers: {
        origin: 'https://elsewhere.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    });
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, HEAD, POST, OPTIONS',
      'access-control-allow-headers': 'authorization, content-type',
    });
    const answer = await index(`0x${hex(A)}`);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'x-hkp-next-page-token',
    });
    expect((await get('nobodyatall')).headers['access-control-allow-origin']).toBe('*');
  });

  it('103: HKP v2 by versioned fingerprint, in both spellings', async () => {
    const { fingerprint } = A;
    for (const [path, status] of [
      [`04${fingerprint}`, 200],
      [`04/${fingerprint}`, 200],
      [`04${hex(A)}`, 200],
      [`04${B.subkeys[0]}`, 200],
      [`06${fingerprint}`, 404],
      [`06/${fingerprint}`, 404],
      [fingerprint, 404],
      [`04${'1'.repeat(40)}`, 404],
    ] as const)
      expect([path, (await v2(`certs/by-vfingerprint/${path}`)).status]).toEqual([path, status]);
  });

  it('105: HKP v2 by identity, binary', async () => {
    const wanted = { type: 'application/pgp', keys: [A.fingerprint], cors: '*' };
    for (const identity of ['ann%40example.org', 'ANN@example.org', '%3Cann%40example.org%3E'])
      expect(await binary(`/pks/v2/certs/by-identity/${identity}`)).toEqual(wanted);
    expect((await v2('certs/by-identity/nn%40example.org')).status).toBe(404);
    expect((await v2('certs/by-identity/Ann%20Lee')).status).toBe(404);
    expect(await binary(`/pks/lookup?op=get&options=bin&search=0x${hex(A)}`)).toEqual(wanted);
    expect((await v2(`certs/by-keyid/${A.keyId}`)).status).toBe(200);
    expect((await v2(`certs/by-keyid/0x${A.keyId}`)).status).toBe(404);
  });

  it('106: HKP v2 lists in JSON', async () => {
    const { body, headers } = await v2('index/ann%40example.org');
    expect(headers['content-type']).toContain('application/json');
    expect(body).toEqual([
      {
        version: 4,
        fingerprint: A.fingerprint,
        algorithm: { code: 1, name: 'RSA', bitLength: 4096 },
        creation: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        isRevoked: false,
        userIDs: [{ uidString: 'Ann Lee <ann@example.org>', creation: expect.any(String), isRevoked: false }],
        subkeys: A.subkeys.map((fingerprint) => ({ version: 4, fingerprint })),
      },
    ]);
  });

  it('107: HKP v2 takes keys', async () => {
    const send = (body: string | Buffer, type = 'application/pgp', token: string | undefined = world.token) =>
      world.app.request('/pks/v2/certs', {
        method: 'POST',
        headers: { 'content-type': type },
        body,
        ...(token !== '' && { token }),
      });
    const key = Buffer.from((await openpgp.readKey({ armoredKey: A.armored })).write());
    expect((await send('')).status).toBe(422);
    expect((await send('junk')).status).toBe(422);
    const good = await send(key);
    const ignored = [{ version: 4, fingerprint: A.fingerprint }];
    expect([good.status, good.body]).toEqual([
      200,
      { inserted: [], updated: [], deleted: [], ignored, invalid: [] },
    ]);
    const { type, body } = multipart('keytext', key, 'key');
    expect((await send(body, type)).status).toBe(200);
    expect((await send(key, 'application/pgp', '')).status).toBe(401);
  });

  it('108: HKP v2 says what it offers', async () => {
    const allowed = await v2('certs/by-identity', 'OPTIONS');
    expect([allowed.status, allowed.headers['allow']]).toEqual([200, 'GET, HEAD, OPTIONS']);
    const certs = await v2('certs', 'OPTIONS');
    expect([certs.status, certs.headers['allow']]).toEqual([200, 'GET, HEAD, POST, OPTIONS']);
    expect(certs.headers['accept']).toContain('application/pgp');
    for (const [path, method, status] of [
      ['canonical/ann%40example.org', 'GET', 501],
      ['canonical/ann%40example.org', 'PUT', 501],
      ['canonical', 'OPTIONS', 501],
      ['prefixlog/2026-01-01', 'GET', 501],
      ['sendtoken', 'POST', 501],
      ['certs', 'GET', 403],
      ['certs/by-identity', 'GET', 403],
      ['certs/by-identity/', 'GET', 403],
      ['index', 'GET', 403],
      ['certs', 'DELETE', 405],
    ] as const)
      expect([path, method, (await v2(path, method)).status]).toEqual([path, method, status]);
  });

  it('304: who has it already gets nothing', async () => {
    const first = await get(`0x${hex(A)}`);
    const etag = String(first.headers['etag']);
    expect(etag).toMatch(/^"[\w-]+"$/);
    for (const tags of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const again = await get(`0x${hex(A)}`, { 'if-none-match': tags });
      expect([again.status, again.body, again.headers['etag']]).toEqual([304, '', etag]);
    }
    expect((await get(`0x${hex(A)}`, { 'if-none-match': '"x"' })).status).toBe(200);
    await settled();
    const modified = String((await get(`0x${hex(A)}`)).headers['last-modified']);
    expect((await get(`0x${hex(A)}`, { 'if-modified-since': modified })).status).toBe(304);
    // A time that is to come says nothing.
    const later = new Date(Date.now() + 3600 * 1000).toUTCString();
    expect((await get(`0x${hex(A)}`, { 'if-modified-since': later })).status).toBe(200);
    expect((await get(`0x${hex(A)}`, { 'if-modified-since': modified, 'if-none-match': '"x"' })).status).toBe(
      200,
    );
    expect(first.headers['cache-control']).toBe('no-cache');
    expect(first.headers['content-disposition']).toBe(`attachment; filename="0x${hex(A)}.asc"`);
    const odd = await get(encodeURIComponent('"; evil\r\n <ann@example.org>'));
    expect(odd.headers['content-disposition']).toBe(`attachment; filename="0x${hex(A)}.asc"`);
  });

  it('304: not after a change, by whatever it is asked for', async () => {
    const key = await newKey({ userIds: [{ name: 'Changing', email: 'changing@example.org' }] });
    await world.added(key.armored);
    const searches = [`0x${key.fingerprint}`, `0x${key.keyId}`, 'changing@example.org', 'changing'];
    const tags = new Map<string, string>();
    for (const search of searches) tags.set(search, String((await get(search)).headers['etag']));
    for (const [search, tag] of tags) expect((await get(search, { 'if-none-match': tag })).status).toBe(304);
    await world.added(await key.revoked());
    for (const [search, tag] of tags) {
      const { status, body } = await get(search, { 'if-none-match': tag });
      expect([search, status]).toEqual([search, 200]);
      expect(await (await openpgp.readKey({ armoredKey: body as string })).isRevoked()).toBe(true);
    }
  });

  it('WKD: confirmed addresses of the domains that were named', async () => {
    const { hash } = wkdName('ann@example.org');
    for (const path of [
      `/.well-known/openpgpkey/example.org/hu/${hash}?l=ann`,
      `/.well-known/openpgpkey/hu/${hash}?l=ann`,
    ])
      expect(await binary(path)).toMatchObject({
        keys: [A.fingerprint],
        type: 'application/octet-stream',
        cors: '*',
      });
    const bob = wkdName('a+b@example.org').hash;
    for (const path of [
      `example.org/hu/${bob}`,
      `other.org/hu/${hash}`,
      'example.org/hu/x',
      'other.org/policy',
    ])
      expect((await world.app.request(`/.well-known/openpgpkey/${path}`)).status).toBe(404);
    for (const path of ['example.org/policy', 'policy'])
      expect((await world.app.request(`/.well-known/openpgpkey/${path}`)).body).toBe('');
  });

  it('statistics for programs and people', async () => {
    expect((await world.app.request('/pks/stats')).body).toMatchObject({
      reads: 'everybody',
      anonymous: 'nothing',
    });
    expect((await world.lookup('op=stats')).body).toContain('SCS keystore');
    expect((await world.lookup('op=stats&options=json')).body).toMatchObject({ reads: 'everybody' });
    // What may be asked and sent; how many keys there are it does not say.
    expect((await world.app.request('/pks/stats')).body).toEqual({
      software: 'SCS keystore',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      reads: 'everybody',
      anonymous: 'nothing',
      rates: { addsPerHour: 1_000_000, searchesPerSecond: 1_000_000, getsPerSecond: 1_000_000 },
      limits: { uploadBytes: 2_097_152, certificateBytes: 65_536, certificates: 10 },
    });
    expect(lines((await world.lookup('op=stats')).body)).toEqual([
      expect.stringMatching(/^SCS keystore \d/),
      'reads: everybody',
      'anonymous uploads: nothing',
      'uploads of an account in an hour: 1000000',
      'searches from an address in a second: 1000000',
      'keys fetched from an address in a second: 1000000',
      '',
    ]);
    for (const path of ['/pks/stats', '/pks/lookup?op=stats'])
      expect((await world.app.request(path, { headers: { accept: 'text/html' } })).body).toContain(
        '<h1>Keys</h1>',
      );
  });

  it('a browser that finds nothing gets a page with the status', async () => {
    const { status, headers, body } = await world.lookup('op=index&search=%3Cscript%3Enobody', {
      accept: 'text/html',
    });
    expect([status, headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
    expect(body).toContain('role="alert"');
    expect(body).not.toContain('<script');
    expect((await world.lookup('', { accept: 'text/html' })).status).toBe(400);
  });

  it('signature lines for who asks for them, which others skip', async () => {
    const { body } = await world.lookup(`op=index&options=mr,sig&search=0x${hex(B)}`);
    expect(lines(body).filter((line) => line.startsWith('sub:'))).toHaveLength(B.subkeys.length);
    expect(lines(body).find((line) => line.startsWith('sig:'))).toMatch(
      new RegExp(`^sig:${B.keyId.toUpperCase()}:1[03]:\\d+::$`),
    );
  });

  it('14: a browser that asks for what is not offered gets a page, too', async () => {
    const { status, headers } = await world.lookup('op=hget&search=x', { accept: 'text/html' });
    expect([status, headers['content-type']]).toEqual([501, 'text/html; charset=utf-8']);
  });

  it('nothing of a query is a header or a line of the log that it could have written', () => {
    const log = readFileSync(join(world.app.home, 'log/test.log'), 'utf8');
    const levels = log
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { level: number }).level);
    // Nor is anything that a client did wrong, 501 included, an error of the server.
    expect(Math.max(...levels)).toBeLessThan(50);
  });
});

/** Sends a body that never ends, until the server hangs up; what it had answered. */
async function endless({ app, token }: HkpWorld): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: app.config.port, ca: app.ca, servername: 'localhost' });
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => {
    socket.once('close', resolve);
  });
  socket.write(
    `POST /pks/add HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/pgp-keys\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  const chunk = `10000\r\n${'a'.repeat(0x10000)}\r\n`;
  const send = (): void => {
    while (socket.writable && socket.write(chunk));
    if (socket.writable) socket.once('drain', send);
  };
  send();
  await closed;
  return answer;
}
