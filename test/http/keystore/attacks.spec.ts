import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { gzipSync } from 'node:zlib';
import { type Packet, readArmor, writeArmor } from '#libs/pgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bytesOf,
  CREATED,
  makeKey,
  makeSignature,
  type MadeSubpacket,
  mpi,
  Owner,
  uint,
} from '../../../libs/pgp/src/testing/maker.js';
import type { AppAnswer } from '../../support/app.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { hkpWorld, type HkpWorld, multipart } from './hkp-world.js';

/* Attacks on key servers that are known from others (keystore contract §4.2), through HTTP. The process of the tests is that of the server: what is measured here is both. */

const MIB = 1024 * 1024;
const hex = ({ key }: Owner): string => key.facts.fingerprint.toUpperCase();
const send = (
  world: HkpWorld,
  body: string | Buffer,
  more: Record<string, string> = {},
): Promise<AppAnswer> =>
  world.app.request('/pks/add', {
    method: 'POST',
    headers: { 'content-type': 'application/pgp-keys', ...more },
    body,
    token: world.token,
  });

/** What a piece of work cost: milliseconds of processors, and bytes by which the process grew at its most. */
async function costOf<T>(work: () => Promise<T>): Promise<{ result: T; cpu: number; grown: number }> {
  const [cpu, { rss }] = [process.cpuUsage(), process.memoryUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(cpu);
  return { result, cpu: (user + system) / 1000, grown: process.resourceUsage().maxRSS * 1024 - rss };
}

/** How long look-ups of a key take, one after the other, while there are to be more; in milliseconds, in order of size. */
async function lookUps(world: HkpWorld, owner: Owner, more: (count: number) => boolean): Promise<number[]> {
  const times: number[] = [];
  while (more(times.length)) {
    const begin = performance.now();
    expect((await world.lookup(`op=get&search=0x${hex(owner)}`)).status).toBe(200);
    times.push(performance.now() - begin);
  }
  return times.toSorted((a, b) => a - b);
}

describe('a certificate that is flooded (CVE-2019-13050)', () => {
  const [ann, mallory, known] = [new Owner(), new Owner(), new Owner()];
  const [id, own] = ann.userId('Ann <ann@example.org>') as [Packet, Packet];
  const theirs = mallory.sign(0x10, { primary: ann.key.body, userId: id.body });

  /** So many signatures of somebody else, no two at the same time. */
  function flood(count: number): Buffer {
    const one = bytesOf([theirs]);
    const at = one.indexOf(Buffer.concat([Buffer.of(5, 2), uint(CREATED, 4)])) + 2;
    const all = Buffer.alloc(count * one.length, one);
    for (let n = 0; n < count; n += 1) all.writeUInt32BE(CREATED + n, n * one.length + at);
    return all;
  }
  /** Signatures that say to be by the key, and hash to what they say, so that each has to be computed. */
  function forged(count: number): Buffer {
    const signer = {
      ...ann.key,
      signed: () => Buffer.concat([mpi(Buffer.alloc(32, 7)), mpi(Buffer.alloc(32, 7))]),
    };
    return bytesOf(
      Array.from(
        { length: count },
        (_, n) => ann.userId(id.body, { signer, created: CREATED + n })[1] as Packet,
      ),
    );
  }
  const around = (middle: Buffer): Buffer =>
    Buffer.concat([bytesOf([ann.primary, id]), middle, bytesOf([own])]);
  const shortest = Buffer.from([0xc2, 12, 4, 0x10, 22, 8, 0, 0, 0, 0, 0, 0, 0, 0]);

  let world: HkpWorld;
  beforeAll(async () => {
    world = await hkpWorld();
    await world.added(writeArmor(bytesOf([known.primary, ...known.userId('Known')])));
    // What is slow the first time is not what is measured.
    await lookUps(world, known, (count) => count < 200);
    await send(world, around(flood(50)));
  });
  afterAll(() => world.stop());

  it.each<[string, () => Buffer, number]>([
    ['150,000 signatures of somebody else', () => around(flood(150_000)), 413],
    [
      '150,000 of the shortest signatures that there can be',
      () => around(Buffer.alloc(150_000 * 14, shortest)),
      413,
    ],
    [
      'as many in armor as an upload may have bytes',
      () => Buffer.from(writeArmor(around(flood(10_000)))),
      413,
    ],
    ['as many packets as an upload may have', () => around(flood(4990)), 200],
    ['as many, all in armor', () => Buffer.from(writeArmor(around(flood(4990)))), 200],
    ['as many that have to be computed', () => around(forged(4990)), 422],
  ])('72: with %s costs half a second at most, and holds up no look-up', async (_, make, status) => {
    const body = make();
    const before = await lookUps(world, known, (count) => count < 200);
    const alone = await costOf(() => send(world, body));
    expect([alone.result.status, alone.result.body.error?.code]).toEqual([
      status,
      status === 200 ? undefined : status,
    ]);
    expect(alone.cpu).toBeLessThan(500);
    expect(alone.grown).toBeLessThan(200 * MIB);
    let isUnderWay = true;
    const again = send(world, body).finally(() => (isUnderWay = false));
    const during = await lookUps(world, known, () => isUnderWay);
    expect((await again).status).toBe(status);
    // A bound for being hung up, not a measurement: what a turn of the event loop may take on a machine that does other things too.
    const p99 = before[Math.floor(before.length * 0.99)] ?? 0;
    expect(during.at(-1)).toBeLessThan(20 * p99 + 250);
    const { status: found, body: stored } = await world.lookup(`op=get&search=0x${hex(ann)}`);
    expect([found, (stored as string).length]).toEqual([200, expect.any(Number)]);
    expect((stored as string).length).toBeLessThan(1000);
  });
});

describe('a certificate that is to grow', () => {
  const notation = (length: number): MadeSubpacket => [
    20,
    Buffer.concat([
      Buffer.alloc(4),
      uint(3, 2),
      uint(length, 2),
      Buffer.from('a@b'),
      Buffer.alloc(length, 0x61),
    ]),
  ];
  let world: HkpWorld;
  beforeAll(async () => {
    world = await hkpWorld();
  });
  afterAll(() => world.stop());
  const sizeOf = async (owner: Owner): Promise<number> => {
    const { body } = await world.lookup(`op=get&search=0x${hex(owner)}`);
    return readArmor(body as string)[0]?.length ?? 0;
  };
  const add = (owner: Owner, ...packets: Packet[]): Promise<AppAnswer> =>
    send(world, bytesOf([owner.primary, ...packets]));

  it('keeps five signatures of everything, however often others come', async () => {
    const owner = new Owner();
    const sizes: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      const many = Array.from({ length: 20 }, (_, at) =>
        owner.userId('Ann', { created: CREATED + round * 20 + at }),
      );
      expect((await add(owner, ...many.flat(), owner.sign(0x1f, { created: CREATED + round }))).status).toBe(
        200,
      );
      sizes.push(await sizeOf(owner));
    }
    // Numbers of signatures have leading zeros now and then.
    expect(Math.max(...sizes)).toBeLessThan(1500);
  });

  it('is refused beyond 64 KiB, and stays as it was', async () => {
    const owner = new Owner();
    const part = (at: number): Packet[] => owner.userId(`Part ${at}`, { hashed: [notation(28_000)] });
    await add(owner, ...part(0), ...part(1));
    const before = await sizeOf(owner);
    const { status, body } = await add(owner, ...part(2));
    expect([status, body.error.code, body.error.reason]).toEqual([413, 413, 'too_large']);
    expect(await sizeOf(owner)).toBe(before);
  });

  it('can be revoked, however large it is: a revocation is always taken', async () => {
    const filled = (owner: Owner, last: number): Packet[] => [
      ...owner.userId('One', { hashed: [notation(28_000)] }),
      ...owner.userId('Two', { hashed: [notation(28_000)] }),
      ...owner.userId('Three', { hashed: [notation(last)] }),
    ];
    const [sample, full] = [new Owner(), new Owner()];
    await add(sample, ...filled(sample, 1000));
    const last = 1000 + 64 * 1024 - (await sizeOf(sample)) - 30;
    expect((await add(full, ...filled(full, last))).status).toBe(200);
    expect(await sizeOf(full)).toBeGreaterThan(64 * 1024 - 60);
    for (let n = 0; n < 7; n += 1)
      expect((await send(world, bytesOf([full.sign(0x20, { created: CREATED + n })]))).status).toBe(200);
    const { body } = await world.lookup(`op=index&options=mr&search=0x${hex(full)}`);
    expect((body as string).split('\n')[1]).toMatch(/:r$/);
    expect(await sizeOf(full)).toBeLessThan(66 * 1024);
  });
});

describe('what lies about its size', () => {
  const owner = new Owner();
  const [id] = owner.userId('Ann') as [Packet];
  const key = (algorithm: number, ...numbers: Buffer[]): Packet => ({
    tag: 6,
    body: Buffer.concat([Buffer.of(4), uint(CREATED, 4), Buffer.of(algorithm), ...numbers]),
  });
  const full = (octets: number): Buffer => mpi(Buffer.alloc(octets, 0xff));
  const withArea = (area: Buffer): Packet => ({
    tag: 2,
    body: Buffer.concat([Buffer.of(4, 0x13, 22, 8), uint(area.length, 2), area, uint(0, 2), uint(0, 2)]),
  });
  /** A signature in a signature in a signature, as deep as it goes. */
  function nested(): Packet {
    let hashed: MadeSubpacket[] = [];
    for (let depth = 0; depth < 100; depth += 1) {
      const inner = makeSignature({
        signer: owner.key,
        type: 0x19,
        primary: owner.key.body,
        subkey: owner.key.body,
        hashed,
      });
      hashed = [[32, inner]];
    }
    return owner.sign(0x13, { userId: id.body, hashed });
  }
  const only = (packet: Packet): Buffer => bytesOf([owner.primary, id, packet]);

  let world: HkpWorld;
  beforeAll(async () => {
    world = await hkpWorld();
    await send(world, only(owner.sign(0x1f)));
  });
  afterAll(() => world.stop());

  it.each<[string, Buffer]>([
    ['91: a packet of 4 GiB', Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff, 0xff, 0x04])],
    ['91: a packet of 4 GiB with the old header', Buffer.from([0x9a, 0xff, 0xff, 0xff, 0xff, 0x04])],
    ['91: a part of a packet', Buffer.from([0xc6, 0xfe, 0x04, 0x04])],
    ['91: a packet of no length', Buffer.from([0x9b, 0x04])],
    ['91: compressed data', Buffer.concat([bytesOf([owner.primary]), Buffer.from([0xc8, 0x01, 0x00])])],
    ['91: a subpacket of 4 GiB', only(withArea(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 2])))],
    [
      '91: an area that is longer than its signature',
      only({ tag: 2, body: Buffer.of(4, 0x13, 22, 8, 0xff, 0xff) }),
    ],
    ['91: signatures within signatures', only(nested())],
    [
      '92: a number of 65,535 bits',
      bytesOf([key(1, Buffer.concat([uint(65_535, 2), Buffer.alloc(8192, 1)])), id]),
    ],
    ['92: a number of 65,535 bits that is not there', bytesOf([key(1, uint(65_535, 2)), id])],
    ['92: a modulus of 16,384 bits with an exponent as long', bytesOf([key(1, full(2048), full(2048)), id])],
    ['92: the exponent 0', bytesOf([key(1, full(256), uint(0, 2)), id])],
    ['92: the exponent 1', bytesOf([key(1, full(256), mpi(Buffer.of(1))), id])],
    ['92: p = 0', bytesOf([key(17, uint(0, 2), full(32), full(1), full(1)), id])],
    [
      'a signature whose number says 65,535 bits',
      only({ tag: 2, body: Buffer.concat([owner.sign(0x13).body.subarray(0, -70), uint(65_535, 2)]) }),
    ],
    ['no end of base64', Buffer.from(`-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n${'A'.repeat(MIB)}`)],
    [
      'a header without an end',
      Buffer.from(`-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: ${'x'.repeat(MIB)}`),
    ],
    ['two million lines', Buffer.from(`-----BEGIN PGP PUBLIC KEY BLOCK-----\n${'\n'.repeat(2 * MIB - 100)}`)],
    [
      'a million lines with something in them',
      Buffer.from(`-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n${'a\n'.repeat(MIB - 100)}`),
    ],
  ])('%s is refused soon', async (_, body) => {
    const { result, cpu, grown } = await costOf(() => send(world, body));
    expect([result.status, result.body.error.code, result.body.error.reason]).toEqual([
      422,
      422,
      'bad_openpgp_data',
    ]);
    expect(cpu).toBeLessThan(500);
    expect(grown).toBeLessThan(200 * MIB);
  });

  it('69, 91: a body that is compressed is not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MIB));
    for (const encoding of ['gzip', 'deflate', 'br', 'gzip, identity', 'x']) {
      const { result, grown } = await costOf(() => send(world, bomb, { 'content-encoding': encoding }));
      expect([encoding, result.status]).toEqual([encoding, 415]);
      expect(grown).toBeLessThan(64 * MIB);
    }
  });

  it('does not bring the server down', async () => {
    expect((await world.lookup('op=stats')).status).toBe(200);
    const log = readFileSync(join(world.app.home, 'log/test.log'), 'utf8');
    const levels = log
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { level: number }).level);
    expect(Math.max(...levels)).toBeLessThan(50);
  });
});

describe('a secret key that somebody sends by mistake', () => {
  const owner = new Owner();
  const subkey = makeKey('ed25519Legacy');
  const secretPart = Buffer.concat([Buffer.of(0), mpi(Buffer.alloc(32, 0xa5)), uint(0x5ac3, 2)]);
  const packets = {
    'a primary key': [{ tag: 5, body: Buffer.concat([owner.key.body, secretPart]) }],
    'a subkey beside public keys': [
      owner.primary,
      ...owner.userId('Ann'),
      { tag: 7, body: Buffer.concat([subkey.body, secretPart]) },
    ],
  };

  it.each(Object.entries(packets))(
    '58, 59: %s is stored and written down nowhere, however it is sent',
    async (_, parts) => {
      const world = await hkpWorld();
      const bytes = bytesOf(parts);
      const armored = writeArmor(bytes);
      // The app fails to stop when one of them is in a log, in a trail or in the database.
      for (const line of armored.split('\n').slice(2, -3)) world.app.secrets.add('a secret key', line);
      world.app.secrets.add('a secret key', bytes.toString('base64'));
      world.app.secrets.add('a secret key', secretPart.toString('hex'));
      const form = 'application/x-www-form-urlencoded';
      const part = multipart('keytext', bytes, 'key.gpg');
      const json = { accept: 'application/json' };
      const answers = [
        await send(world, bytes),
        await send(world, armored, json),
        await send(world, armored.replaceAll('PUBLIC', 'PRIVATE')),
        await send(world, part.body, { 'content-type': part.type }),
        await send(world, `keytext=${encodeURIComponent(armored)}`, { 'content-type': form }),
        await send(world, `keytext=${armored}`, { 'content-type': form, ...json }),
        await world.app.request('/pks/v2/certs', {
          method: 'POST',
          headers: { 'content-type': 'application/pgp' },
          body: bytes,
          token: world.token,
        }),
      ];
      for (const { status, body } of answers) {
        expect([status, body.error.message]).toEqual([422, expect.stringContaining('It was not stored')]);
        expect(world.app.secrets.leaksIn(JSON.stringify(body))).toEqual([]);
      }
      expect((await world.lookup(`op=get&search=0x${hex(owner)}`)).status).toBe(404);
      await world.stop();
    },
  );
});

describe.each(DATABASES)('words of a database, on $name', ({ open }) => {
  const owner = new Owner();
  let database: TestDatabase;
  let world: HkpWorld;
  beforeAll(async () => {
    database = await open();
    world = await hkpWorld({ SCS_WKD_DOMAINS: 'example.org', ...database.env });
    await send(world, bytesOf([owner.primary, ...owner.userId('Ann <ann@example.org>')]));
  });
  afterAll(async () => {
    await world.stop();
    await database.stop();
  });

  const PARAMETERS = [
    'op',
    'search',
    'options',
    'fingerprint',
    'exact',
    'x-pagesize',
    'x-pagetoken',
    'limit',
  ];
  const OPERATORS = [
    '[$ne]=x',
    '[$gt]=',
    '[]=a',
    '[$where]=sleep(5000)',
    '[$regex]=.*',
    '.$ne=1',
    '[__proto__]=1',
  ];
  const good = (): Record<string, string> => ({ op: 'index', options: 'mr', search: `0x${hex(owner)}` });
  const query = (parameters: Record<string, string>): string =>
    Object.entries(parameters)
      .map(([name, value]) => `${name}=${value}`)
      .join('&');

  it.each(PARAMETERS)('16: behind the name of %s are another name, which nobody asks for', async (name) => {
    const plain = await world.lookup(query(good()));
    expect(plain.status).toBe(200);
    const { [name]: _, ...without } = good();
    for (const operator of OPERATORS) {
      const beside = await world.lookup(`${name}${operator}&${query(good())}`);
      expect([operator, beside.status, beside.body]).toEqual([operator, 200, plain.body]);
      const instead = await world.lookup(`${query(without)}&${name}${operator}`);
      const missing = name === 'op' || name === 'search';
      expect([operator, instead.status]).toEqual([operator, missing ? 400 : 200]);
    }
  });

  it.each(PARAMETERS)('16: as the value of %s are text', async (name) => {
    for (const value of [
      '{"$ne":1}',
      '{"$gt":""}',
      '$where',
      '__proto__',
      'constructor',
      '[object Object]',
      "' OR 1=1 --",
      '%',
    ]) {
      const { status, body } = await world.lookup(query({ ...good(), [name]: encodeURIComponent(value) }));
      const expected = name === 'op' ? 501 : name === 'search' ? 404 : name === 'x-pagetoken' ? 400 : 200;
      expect([value, status]).toEqual([value, expected]);
      expect([undefined, status]).toContain(body.error?.code);
    }
  });

  it('16: in the way to something are text, too', async () => {
    const { token } = world;
    for (const word of ['{"$ne":1}', '$where', '__proto__', 'constructor', "x' OR '1'='1"].map(
      encodeURIComponent,
    ))
      for (const [path, method] of [
        [`/pks/v2/certs/by-vfingerprint/${word}`, 'GET'],
        [`/pks/v2/certs/by-keyid/${word}`, 'GET'],
        [`/pks/v2/certs/by-identity/${word}`, 'GET'],
        [`/pks/v2/index/${word}`, 'GET'],
        [`/.well-known/openpgpkey/${word}/hu/${word}`, 'GET'],
        [`/v1/keys/${word}`, 'GET'],
        [`/v1/keys/${word}`, 'DELETE'],
        [`/v1/keys/${word}/challenge`, 'POST'],
        [`/v1/keyrings/${word}.asc`, 'GET'],
        [`/v1/keyrings/${word}/keys/${hex(owner)}`, 'PUT'],
      ] as const) {
        const { status, body } = await world.app.request(path, { method, token });
        expect([path, [400, 404].includes(status), body.error.code]).toEqual([path, true, status]);
      }
  });

  it('16: in what asks for changes and in bodies are refused', async () => {
    const { token } = world;
    for (const more of ['after[$gt]=0', 'fingerprint[$ne]=x', 'limit[$gt]=0'])
      expect([200, 400]).toContain((await world.app.request(`/v1/keys/changes?${more}`)).status);
    for (const more of ['after={"$gt":0}', 'fingerprint={"$ne":1}', 'limit=$max'])
      expect((await world.app.request(`/v1/keys/changes?${encodeURI(more)}`)).status).toBe(400);
    const path = `/v1/keys/${hex(owner)}`;
    for (const bad of [{ $ne: 1 }, [{ $gt: '' }], { $where: '1' }]) {
      const claim = await world.app.request(`${path}/claim`, { json: { signed: bad }, token });
      const hide = await world.app.request(`${path}/hidden`, { method: 'PUT', json: { hashes: bad }, token });
      expect([claim.status, hide.status]).toEqual([400, 400]);
    }
    expect((await world.lookup(query(good()))).status).toBe(200);
  });

  it('are no error of the server', () => {
    const log = readFileSync(join(world.app.home, 'log/test.log'), 'utf8');
    const levels = log
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { level: number }).level);
    expect(Math.max(...levels)).toBeLessThan(50);
  });
});

describe('a user id that is made to be more than text', () => {
  const owner = new Owner('ed25519Legacy');
  const HOSTILE = [
    '<script>alert(1)</script> <x@example.org>',
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '</title></head><body onload=alert(1)>',
    '<!--',
    '&lt;b&gt; &amp;',
    'javascript:alert(1)',
    'line\npub:0000000000000000000000000000000000000000:1:4096:1::\r\ninfo:1:99',
    'a:b:c%0Auid:x+y',
    '\u001b[2J\u001b]0;title\u0007 \u009b31m \u007f',
    'evil\u202egpj.exe \u2066x\u2069 \u200b\u2028\u2029',
    '\r\nSet-Cookie: a=b\r\n\r\n<html>',
    '=cmd|calc!A1 \t@SUM(1)',
  ];
  const latin = Buffer.from('B\xf6rn \x9b31m <b>', 'latin1');
  const texts = [...HOSTILE, latin.toString('latin1')];
  const accept = 'text/html,application/xhtml+xml,*/*;q=0.8';

  let world: HkpWorld;
  beforeAll(async () => {
    world = await hkpWorld();
    await world.added(
      writeArmor(
        bytesOf([
          owner.primary,
          ...[...HOSTILE.map((text) => Buffer.from(text)), latin].flatMap((text, n) =>
            owner.userId(text, { created: CREATED + n }),
          ),
        ]),
      ),
    );
  });
  afterAll(() => world.stop());

  /** Elements of a page of ours; attributes are ours, too. */
  const TAGS =
    /^(?:html|head|meta|title|style|body|main|h1|h2|p|form|input|label|button|section|bdi|strong|code|table|tr|th|td|a|time|ul|li|br)$/;
  function isOurs(html: string): void {
    const names = [...html.matchAll(/<\/?([^\s>/!]+)/g)].map(([, name]) => name);
    expect(names.filter((name = '') => !TAGS.test(name))).toEqual([]);
    expect(html.match(/<!/g)).toHaveLength(1);
    // What is no text stands between quotes that our own code writes, and only in attributes of ours.
    for (const [tag] of html.matchAll(/<[a-z][^>]*>/g)) {
      const bare = tag.replaceAll(/="[^"]*"/g, '');
      expect(bare).toMatch(
        /^<[a-z0-9]+(?:\s(?:lang|charset|name|content|class|method|action|role|type|value|required|maxlength|autocapitalize|spellcheck|aria-labelledby|id|scope|datetime|href|rel))*>$/,
      );
      expect(tag).not.toMatch(/(?:href|action)="(?!\/)/);
    }
    // What was searched for stands in the field as it was, to be sent again.
    expect(html.replaceAll(/\n| value="[^"]*"/g, '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  }

  it('37, 39: is one line of a listing, and reads back as it was', async () => {
    const { body } = await world.lookup(`op=index&options=mr&search=0x${hex(owner)}`);
    const lines = (body as string).split('\n');
    expect([lines[0], lines.length, lines.at(-1)]).toEqual(['info:1:1', texts.length + 3, '']);
    expect((body as string).replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
    expect(lines.slice(2, -1).every((line) => line.split(':').length === 5)).toBe(true);
    // As Go clients decode it, with form rules.
    const read = lines
      .slice(2, -1)
      .map((line) => decodeURIComponent((line.split(':')[1] ?? '').replaceAll('+', ' ')));
    expect(read.toSorted()).toEqual(texts.toSorted());
  });

  it('39: is text in every page', async () => {
    const searches = [`0x${hex(owner)}`, 'x@example.org', ...HOSTILE.map((text) => text.slice(0, 100))];
    for (const operation of ['index', 'vindex', 'get'])
      for (const search of searches) {
        const { headers, body } = await world.lookup(`op=${operation}&search=${encodeURIComponent(search)}`, {
          accept,
        });
        if (!String(headers['content-type']).startsWith('text/html')) continue;
        expect(headers['content-security-policy']).toMatch(
          /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'$/,
        );
        isOurs(body as string);
      }
    const { body } = await world.lookup(`op=index&search=0x${hex(owner)}`, { accept });
    expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(body).toContain(String.raw`evil\u{202e}gpj.exe`);
  });

  it('is a string in every JSON', async () => {
    const sorted = (list: { uidString: string }[]): string[] =>
      list.map(({ uidString }) => uidString).toSorted();
    for (const path of [
      `/pks/lookup?op=index&options=json&search=0x${hex(owner)}`,
      `/pks/lookup?op=get&options=json&search=0x${hex(owner)}`,
      '/pks/v2/index/x%40example.org',
    ]) {
      const { status, headers, body } = await world.app.request(path, { headers: { accept } });
      expect([status, headers['content-type']]).toEqual([200, expect.stringContaining('application/json')]);
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(sorted(body[0].userIDs)).toEqual(texts.toSorted());
    }
  });

  it('is in no header and in no answer to an upload', async () => {
    for (const search of [...HOSTILE, latin.toString('latin1')].map((text) =>
      encodeURIComponent(text).slice(0, 500),
    ))
      for (const operation of ['get', 'index', 'vindex'])
        for (const type of ['*/*', accept]) {
          const { headers } = await world.lookup(`op=${operation}&search=${search}`, { accept: type });
          expect(headers['set-cookie']).toBeUndefined();
          expect([undefined, `attachment; filename="0x${hex(owner)}.asc"`]).toContain(
            headers['content-disposition'],
          );
        }
    const again = await world.add(
      writeArmor(bytesOf([owner.primary, ...owner.userId(HOSTILE[0] ?? '', { created: CREATED })])),
    );
    expect([again.status, again.body]).toEqual([200, `${hex(owner)} unchanged\n`]);
  });

  it('38: is the same octets in what is served', async () => {
    const { body } = await world.lookup(`op=get&search=0x${hex(owner)}`);
    const [bytes = Buffer.alloc(0)] = readArmor(body as string);
    for (const text of [...HOSTILE.map((one) => Buffer.from(one)), latin])
      expect(Buffer.from(bytes).includes(text)).toBe(true);
  });
});
