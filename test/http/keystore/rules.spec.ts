import { createHash } from 'node:crypto';
import { connect as connectPlain } from 'node:net';
import { connect } from 'node:tls';
import { type Packet, readArmor, readPackets, writeArmor } from '#libs/pgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bytesOf,
  CREATED,
  makeEncryptionKey,
  makeKey,
  Owner,
  uint,
} from '../../../libs/pgp/src/testing/maker.js';
import { readKey } from '../../../libs/pgp/src/packets/key.js';
import { ANY_PORT, type AppAnswer } from '../../support/app.js';
import { rawRequest } from '../../support/raw-request.js';
import { type HkpWorld, hkpWorld } from './hkp-world.js';

/*
 * The twenty rules of keystore contract §0 that decide whether stock clients work, by their numbers. What more there is to each of them
 * is in the numbered cases.
 */

const NAME = 'keys.example.test';
const block = (...packets: readonly Packet[]): string => writeArmor(bytesOf(packets));
const hex = ({ key }: Owner): string => key.facts.fingerprint.toUpperCase();
const YEAR = 365 * 86_400;

/** A key whose id begins with four zeros, and with no more: the same numbers at many times, until one fits. */
function withLeadingZeros(): Owner {
  const owner = new Owner();
  const body = Buffer.from(owner.key.body);
  for (let time = 1_000_000_000; ; time += 1) {
    body.writeUInt32BE(time, 1);
    const id = createHash('sha1')
      .update(Buffer.concat([Buffer.of(0x99), uint(body.length, 2), body]))
      .digest('hex');
    if (!/^.{24}0000[^0]/.test(id)) continue;
    const key = { ...owner.key, body, facts: readKey(body) };
    return Object.assign(owner, { key, primary: { tag: 6, body } });
  }
}

let world: HkpWorld;
let httpPort: number;
const [ann, expired, revoked, both, zero] = [
  new Owner(),
  new Owner(),
  new Owner('nistP256'),
  new Owner(),
  withLeadingZeros(),
];
const subkeys = { signs: makeKey('ed25519Legacy'), encrypts: makeEncryptionKey() };
const annPackets = [
  ann.primary,
  ...ann.userId('Ann Rule <ann@example.org>'),
  ...ann.signingSubkey(subkeys.signs),
  ...ann.boundSubkey(subkeys.encrypts, { hashed: [[27, Buffer.of(0x0c)]] }),
];
const year = [[9, uint(YEAR, 4)]] as const;
beforeAll(async () => {
  world = await hkpWorld({ SCS_NAMES: NAME, SCS_HTTP_PORT: ANY_PORT });
  httpPort = world.app.config.httpPort ?? 0;
  for (const packets of [
    annPackets,
    [expired.primary, ...expired.userId('Ed Rule', { hashed: [...year] })],
    [revoked.primary, revoked.sign(0x20), ...revoked.userId('Rose Rule')],
    [both.primary, both.sign(0x20), ...both.userId('Bo Rule', { hashed: [...year] })],
    [zero.primary, ...zero.userId('Zoe Rule <zoe@example.org>')],
  ])
    await world.added(block(...packets));
});
afterAll(() => world.stop());

const get = (search: string, headers = {}): Promise<AppAnswer> =>
  world.lookup(`op=get&search=${search}`, headers);
const index = (search: string, more = ''): Promise<AppAnswer> =>
  world.lookup(`op=index&options=mr&search=${search}${more}`);
const linesOf = ({ body }: AppAnswer): string[] => (body as string).split('\n').slice(0, -1);
const pubs = (answer: AppAnswer): string[] => linesOf(answer).filter((line) => line.startsWith('pub:'));
const primariesIn = ({ body }: AppAnswer): Buffer[] =>
  readArmor(body as string)
    .flatMap((bytes) => readPackets(bytes))
    .filter(({ tag }) => tag === 6)
    .map((packet) => Buffer.from(packet.body));
const post = (headers: string, body: string): Promise<{ status: number; head: string; text: string }> =>
  rawRequest(
    world.app,
    `POST /pks/add HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`,
  );

it('rule 1: an upload that is taken is answered with exactly 200, whatever became of it', async () => {
  const owner = new Owner();
  const uploads = [
    ['inserted', block(owner.primary, ...owner.userId('New'))],
    ['unchanged', block(owner.primary, ...owner.userId('New'))],
    ['updated', block(owner.sign(0x20))],
  ] as const;
  for (const [outcome, armored] of uploads) {
    const keytext = `keytext=${encodeURIComponent(armored)}`;
    const { head, text } = await post(`Authorization: Bearer ${world.token}\r\n`, keytext);
    expect([outcome, head.split('\r\n')[0]?.split(' ')[1], text]).toEqual([
      outcome,
      '200',
      `${hex(owner)} ${outcome}\n`,
    ]);
  }
});

it('rule 2: HKP is at the root of the host, and nowhere below it', async () => {
  const discovery = await world.app.request('/assets/config/config.prod.json');
  expect(new URL(discovery.body.keystoreAPI.uri as string).pathname).toBe('/');
  for (const prefix of ['/keystore', '/v1', '/keys'])
    expect((await world.app.request(`${prefix}/pks/lookup?op=get&search=0x${hex(ann)}`)).status).toBe(404);
  expect((await get(`0x${hex(ann)}`)).status).toBe(200);
});

it('rule 3, E14: lines end with LF alone, the last one too', async () => {
  const answers = [
    await index('rule'),
    await index(`0x${hex(ann)}`, '&options=mr,sig'),
    await world.lookup(`op=vindex&search=0x${hex(ann)}`),
    await get(`0x${hex(ann)}`),
    await world.lookup('op=stats'),
    await world.add(block(...annPackets)),
  ];
  for (const { status, body } of answers) {
    expect([status, body]).toEqual([200, expect.stringMatching(/^[^\r]+[^\r\n]\n$/)]);
    expect(body).not.toContain('\r');
  }
});

it('rule 4: pub has seven fields, info three and uid five, whatever there is to say', async () => {
  const six = new Owner('ed25519', { version: 6 });
  await world.added(block(six.primary, six.sign(0x1f)));
  for (const answer of [
    await index('rule'),
    await index(`0x${hex(six)}`),
    await index('rule', '&options=mr,sig'),
  ]) {
    const counts = linesOf(answer).map((line) => [line.split(':')[0], line.split(':').length]);
    expect(counts.length).toBeGreaterThan(1);
    for (const [name, count] of counts)
      expect([name, count]).toEqual([name, { info: 3, pub: 7, uid: 5 }[String(name)]]);
  }
});

it('rule 5: info counts the keys of this answer, not all that there are', async () => {
  for (const [more, count] of [
    ['', 5],
    ['&x-pagesize=2', 2],
    ['&x-pagesize=1', 1],
  ] as const) {
    const answer = await index('rule', more);
    expect([linesOf(answer)[0], pubs(answer).length]).toEqual([`info:1:${count}`, count]);
  }
});

it('rule 6, 40: one letter at most says what is wrong with a key, and that it is revoked comes first', async () => {
  const flags = await Promise.all(
    [ann, expired, revoked, both].map(
      async (owner) => pubs(await index(`0x${hex(owner)}`))[0]?.split(':')[6],
    ),
  );
  expect(flags).toEqual(['', 'e', 'r', 'r']);
});

it('rule 7: of a user id nothing is written as it is that would mean something else', async () => {
  const owner = new Owner();
  const every = Buffer.from(Array.from({ length: 255 }, (_, at) => at + 1));
  const text = 'Ä: 100% + ü\u0085 林 <a+b@example.net>';
  await world.added(
    block(owner.primary, ...owner.userId(every), ...owner.userId(text, { created: CREATED + 1 })),
  );
  const uids = linesOf(await index(`0x${hex(owner)}`)).filter((line) => line.startsWith('uid:'));
  const fields = uids.map((line) => line.split(':')[1] ?? '');
  expect(fields).toContain('Ä%3A 100%25 %2B ü%C2%85 林 <a%2Bb@example.net>');
  for (const field of fields)
    expect(field).not.toMatch(/[\u0000-\u001f\u007f-\u009f+:\ufffd]|%(?![0-9A-F]{2})/);
  // As form rules say, by which Go clients decode.
  const read = fields.map((field) => new URLSearchParams(`x=${field.replaceAll('&', '%26')}`).get('x') ?? '');
  expect(read.toSorted()).toEqual([text, every.toString('latin1')].toSorted());
});

it('rule 8: a key is given in armor, also to who does not say how it is wanted', async () => {
  const armor =
    /^-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n(?:[A-Za-z0-9+/=]{1,64}\n)+=[A-Za-z0-9+/]{4}\n-----END PGP PUBLIC KEY BLOCK-----\n$/;
  const plain = await get(`0x${hex(ann)}`);
  expect(plain.body).toMatch(armor);
  for (const [query, headers] of [
    ['&options=mr', {}],
    ['&options=nm', {}],
    ['', { accept: 'text/html' }],
    ['', { accept: 'application/json' }],
  ] as const) {
    const answer = await get(`0x${hex(ann)}${query}`, headers);
    expect([answer.headers['content-type'], answer.body]).toEqual(['application/pgp-keys', plain.body]);
  }
});

it('rule 9, 7: an id that has lost its leading zeros is the same id', async () => {
  const { keyId } = zero.key.facts;
  const short = keyId.replace(/^0+/, '');
  expect(short).toHaveLength(12);
  for (const search of [keyId, `0${short}`, short, short.toUpperCase()])
    expect(primariesIn(await get(`0x${search}&exact=on`))).toEqual([zero.key.body]);
  for (const search of [short.slice(1), `${short}0`, short.slice(0, 9)])
    expect((await get(`0x${search}`)).status).toBe(404);
});

it('rule 10, E8: what signed with a subkey leads to the certificate', async () => {
  for (const { fingerprint, keyId } of [subkeys.signs.facts]) {
    const number = BigInt(`0x${keyId}`).toString(16);
    for (const search of [fingerprint, keyId, number, fingerprint.slice(-8)])
      expect(primariesIn(await get(`0x${search}`))).toEqual([ann.key.body]);
  }
});

it('rule 11: a whole fingerprint is of one certificate, in one block, also when others claim the subkey', async () => {
  const taker = new Owner();
  const claimed = taker.boundSubkey(subkeys.encrypts, { hashed: [[27, Buffer.of(0x0c)]] });
  await world.added(block(taker.primary, ...taker.userId('Taker'), ...claimed));
  const listed = await world.lookup(`op=index&options=json&search=0x${hex(taker)}`);
  const { fingerprint } = listed.body[0].subkeys[0] as { fingerprint: string };
  for (const search of [fingerprint, hex(ann), hex(taker), subkeys.signs.facts.fingerprint]) {
    const answer = await get(`0x${search}`);
    expect([search, (answer.body as string).match(/BEGIN PGP/g)?.length, primariesIn(answer).length]).toEqual(
      [search, 1, 1],
    );
  }
});

it('rule 12: what is served is clean, and always in the same order', async () => {
  const [owner, other] = [new Owner(), new Owner()];
  const [first, second] = [owner.userId('First'), owner.userId('Second', { created: CREATED + 1 })];
  const subkey = owner.encryptionSubkey();
  const broken = { tag: 2, body: Buffer.from(first[1]?.body ?? []) };
  broken.body[broken.body.length - 1] = (broken.body.at(-1) ?? 0) ^ 1;
  const clean = [
    owner.primary,
    owner.sign(0x20, { created: CREATED + 9 }),
    owner.sign(0x1f),
    ...first,
    ...second,
    ...subkey,
  ];
  await world.added(block(...clean));
  const served = (await get(`0x${hex(owner)}`)).body;
  await world.app.request(`/v1/keys/${hex(owner)}`, { method: 'DELETE', token: world.token });
  const noise: Packet[] = [
    { tag: 12, body: Buffer.of(1, 2) },
    { tag: 10, body: Buffer.from('PGP') },
    { tag: 17, body: Buffer.alloc(100, 1) },
    other.sign(0x10, { primary: owner.key.body, userId: Buffer.from('First') }),
    broken,
  ];
  const [primary = owner.primary, ...rest] = clean;
  await world.added(block(primary, ...rest.toReversed().flatMap((packet) => [packet, ...noise])));
  expect((await get(`0x${hex(owner)}`)).body).toBe(served);
  const packets = readArmor(served as string).flatMap((bytes) => readPackets(bytes));
  expect(packets.map(({ tag, body }) => (tag === 2 ? body[1] : -tag))).toEqual([
    -6, 0x20, 0x1f, -13, 0x13, -13, 0x13, -14, 0x18,
  ]);
  const names = packets.filter(({ tag }) => tag === 13).map(({ body }) => Buffer.from(body).toString());
  expect(names).toEqual(['First', 'Second']);
});

describe('a credential with a read', () => {
  const paths = [
    `/pks/lookup?op=get&search=0x${hex(ann)}`,
    '/pks/lookup?op=index&options=mr&search=rule',
    '/pks/lookup?op=stats',
    `/pks/v2/certs/by-vfingerprint/04${hex(ann)}`,
    '/version',
  ];
  const ask = async (authorization: string): Promise<number[]> =>
    Promise.all(
      paths.map(async (path) => (await world.app.request(path, { headers: { authorization } })).status),
    );

  it.each(['Bearer', 'Bearer ', 'BEARER', 'bearer  '])('rule 13: %j is none', async (authorization) => {
    expect(await ask(authorization)).toEqual(paths.map(() => 200));
    // Where a bad one would be refused it is nobody's.
    for (const path of ['/', '/v1/keys/changes?limit=1', `/v1/keys/${hex(ann)}`])
      expect((await world.app.request(path, { headers: { authorization } })).status).toBe(200);
    const upload = await world.add(block(...annPackets), { authorization });
    expect([upload.status, upload.headers['www-authenticate']]).toEqual([
      401,
      expect.stringContaining('Bearer'),
    ]);
  });

  it('rule 13: the scheme is read in any case', async () => {
    for (const scheme of ['Bearer', 'BEARER', 'bearer', 'bEaReR'])
      expect(
        (await world.add(block(...annPackets), { authorization: `${scheme} ${world.token}` })).status,
      ).toBe(200);
  });

  it('rule 14: one that is good no more hides no key, and lets nobody write', async () => {
    const now = Math.floor(Date.now() / 1000);
    const over = await world.authority.token({ username: 'ann', claims: { exp: now - 60 } });
    for (const authorization of [`Bearer ${over}`, 'Bearer nonsense', 'Basic YTpi', 'Digest x']) {
      expect([authorization.slice(0, 12), await ask(authorization)]).toEqual([
        authorization.slice(0, 12),
        paths.map(() => 200),
      ]);
      expect((await world.add(block(...annPackets), { authorization })).status).toBe(401);
    }
  });
});

it('rule 15, E11: what is not there is 404 with a reason, so that a client asks the next key server', async () => {
  for (const query of [
    `op=get&search=0x${'1'.repeat(40)}`,
    `op=get&options=mr&search=0x${'1'.repeat(16)}&exact=on`,
    'op=index&options=mr&search=nobodyatall',
    'op=get&search=nobody@example.org&exact=on',
  ])
    for (const accept of ['*/*', 'application/pgp-keys', '']) {
      const { status, headers, body } = await world.lookup(query, accept === '' ? {} : { accept });
      expect([status, body.error.code, headers['content-type']]).toEqual([
        404,
        404,
        'application/json; charset=utf-8',
      ]);
    }
});

it('rule 16: no page of the web answers for the keystore', async () => {
  for (const path of [
    '/pks',
    '/pks/',
    '/pks/nothing',
    '/pks/lookup/x',
    '/version/x',
    '/v1',
    '/v1/nothing',
    '/v1/keys/x/y',
    '/x/pks/lookup',
  ])
    for (const accept of ['text/html', '*/*']) {
      const { status, headers, body } = await world.app.request(path, { headers: { accept } });
      expect([path, status, headers['content-type'], body.error.code]).toEqual([
        path,
        404,
        'application/json; charset=utf-8',
        404,
      ]);
    }
});

it('rule 17: who has not asked for a compressed answer gets none, whatever it is', async () => {
  for (const path of [
    `/pks/lookup?op=get&search=0x${hex(ann)}`,
    '/pks/lookup?op=index&options=mr&search=rule',
    '/pks/lookup?op=get&search=nobodyatall',
    '/version',
  ]) {
    const { head, text } = await rawRequest(world.app, `GET ${path} HTTP/1.0\r\nHost: localhost\r\n\r\n`);
    expect(head).not.toMatch(/content-encoding|transfer-encoding/i);
    expect(Number(/content-length: (\d+)/i.exec(head)?.[1])).toBe(Buffer.byteLength(text));
  }
});

it('rule 18: policy and limits are nothing for which dirmngr would give up on the host', async () => {
  const small = await hkpWorld({ SCS_KEYSTORE_SEARCHES: '1', SCS_KEYSTORE_ADDS: '3' });
  try {
    const admin = await small.authority.token({ username: 'admin', administrator: true });
    await small.app.request(`/v1/keys/blocked/${hex(ann)}`, { method: 'PUT', token: admin });
    const secret = block({ tag: 5, body: Buffer.concat([ann.key.body, Buffer.alloc(40)]) });
    const answers = [
      ...(await Promise.all(Array.from({ length: 20 }, () => small.lookup('op=index&search=rule')))),
      await small.add(block(...annPackets)),
      await small.add(secret),
      await small.add('x'.repeat(3 * 1024 * 1024)),
      await small.add(block(...annPackets)),
      await small.add(block(...annPackets), { authorization: '' }),
      await small.lookup('op=hget&search=x'),
    ];
    expect(new Set(answers.map(({ status }) => status))).toEqual(
      new Set([404, 429, 403, 422, 413, 401, 501]),
    );
    expect(
      answers
        .filter(({ status }) => status === 429)
        .every(({ headers }) => headers['retry-after'] !== undefined),
    ).toBe(true);
  } finally {
    await small.stop();
  }
});

it('rule 19: who comes without TLS is sent on with 307, an upload as well', async () => {
  for (const line of [`GET /pks/lookup?op=get&search=0x${hex(ann)}`, 'POST /pks/add']) {
    const socket = connectPlain(httpPort, '127.0.0.1');
    socket.end(`${line} HTTP/1.0\r\nHost: ${NAME}\r\n\r\n`);
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).toMatch(/^HTTP\/1\.1 307 /);
    expect(answer).toContain(`\r\nlocation: ${world.app.url}${line.split(' ')[1]}\r\n`);
  }
  expect((await world.lookup('op=get&search=nobodyatall')).headers['location']).toBeUndefined();
});

it('rule 20: the certificate is good for a name with a dot, without which gpg does not even ask', async () => {
  const socket = connect({
    host: '127.0.0.1',
    port: world.app.config.port,
    ca: world.app.ca,
    servername: NAME,
  });
  await new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  expect([socket.authorized, socket.getPeerCertificate().subjectaltname]).toEqual([
    true,
    expect.stringContaining(`DNS:${NAME}`),
  ]);
  socket.destroy();
});
