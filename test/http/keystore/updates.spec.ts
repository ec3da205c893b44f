import { systemClock } from '#libs/core';
import {
  cleanCertificate,
  type Packet,
  readArmor,
  readPackets,
  splitCertificates,
  writeArmor,
  writeCertificate,
} from '#libs/pgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, CREATED, makeEncryptionKey, makeKey, Owner } from '../../../libs/pgp/src/testing/maker.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { hkpWorld, type HkpWorld } from './hkp-world.js';

/* The cases of keystore contract §6 that are about what an upload changes, by their numbers. */

const block = (...packets: readonly Packet[]): string => writeArmor(bytesOf(packets));
/** The packets of a certificate as they are kept, in the order in which they are served. */
async function cleaned(packets: readonly Packet[]): Promise<Packet[]> {
  const [raw] = splitCertificates(packets);
  if (raw === undefined) throw new Error('no certificate');
  return readPackets(writeCertificate(await cleanCertificate(raw, systemClock)));
}
const hex = (owner: Owner): string => owner.key.facts.fingerprint.toUpperCase();

describe.each(DATABASES)('uploads to the keystore on $name', ({ open }) => {
  let database: TestDatabase;
  let world: HkpWorld;
  beforeAll(async () => {
    database = await open();
    world = await hkpWorld(database.env);
  });
  afterAll(async () => {
    await world.stop();
    await database.stop();
  });

  const listed = async (owner: Owner): Promise<string[]> => {
    const answer = await world.lookup(`op=index&options=mr&search=0x${hex(owner)}`);
    return (answer.body as string).split('\n').filter((line) => /^(?:pub|uid|sub):/.test(line));
  };
  const flags = async (owner: Owner): Promise<(string | undefined)[]> =>
    (await listed(owner)).map((line) => line.split(':').at(-1));
  const served = async (owner: Owner): Promise<string> =>
    (await world.lookup(`op=get&search=0x${hex(owner)}`)).body as string;

  /** What is known of a certificate besides what is served: when it changed last, for HTTP, for its record and for the feed. */
  const marks = async (owner: Owner): Promise<unknown> => {
    const path = `/v1/keys/${owner.key.facts.fingerprint}`;
    const [answer, record, feed] = [
      await world.lookup(`op=get&search=0x${hex(owner)}`),
      await world.app.request(path, { token: world.token }),
      await world.app.request(`/v1/keys/changes?fingerprint=${owner.key.facts.fingerprint}`),
    ];
    // Last-Modified comes when its second is over; the other two say the time of the change at once.
    const { etag } = answer.headers;
    return { body: answer.body as string, etag, record: record.body.data, changes: feed.body.data.changes };
  };
  const packetsOf = async (owner: Owner): Promise<Packet[]> =>
    readArmor(await served(owner)).flatMap((part) => readPackets(part));
  /** Types of signatures, and minus those of other packets. */
  const shape = async (owner: Owner): Promise<(number | undefined)[]> =>
    (await packetsOf(owner)).map(({ tag, body }) => (tag === 2 ? body[1] : -tag));

  it('51: the same again is unchanged: no other bytes, no other time, no number in the feed', async () => {
    const owner = new Owner();
    const whole = [owner.primary, ...owner.userId('Ann'), ...owner.encryptionSubkey()];
    expect((await world.add(block(...whole))).body).toBe(`${hex(owner)} inserted\n`);
    const before = await marks(owner);
    for (const again of [whole, [owner.primary, ...whole.slice(1), ...whole.slice(1)], whole.slice(0, 3)]) {
      const { status, body } = await world.add(block(...again));
      expect([status, body]).toEqual([200, `${hex(owner)} unchanged\n`]);
      expect(await marks(owner)).toEqual(before);
    }
  });

  it('52: user ids add up, and an older copy takes none away', async () => {
    const owner = new Owner();
    const [one, two] = [owner.userId('One'), owner.userId('Two', { created: CREATED + 1 })];
    const names = async (): Promise<string[]> =>
      (await listed(owner)).slice(1).map((line) => line.split(':')[1] ?? '');
    await world.added(block(owner.primary, ...one));
    expect((await world.add(block(owner.primary, ...two))).body).toBe(`${hex(owner)} updated\n`);
    const both = await served(owner);
    expect((await names()).toSorted()).toEqual(['One', 'Two']);
    expect((await world.add(block(owner.primary, ...one))).body).toBe(`${hex(owner)} unchanged\n`);
    expect(await served(owner)).toBe(both);
    for (const name of ['one', 'two'])
      expect((await world.lookup(`op=get&search=${name}&exact=on`)).body).toBe(both);
  });

  it('53: a copy with the revocation of the key revokes it, and the copy without one does not undo that', async () => {
    const owner = new Owner();
    const [plain, revoked] = [
      block(owner.primary, ...owner.userId('Ann')),
      block(owner.primary, owner.sign(0x20), ...owner.userId('Ann')),
    ];
    await world.added(plain);
    expect(await flags(owner)).toEqual(['', '']);
    expect((await world.add(revoked)).body).toBe(`${hex(owner)} updated\n`);
    expect(await flags(owner)).toEqual(['r', '']);
    const before = await marks(owner);
    expect((await world.add(plain)).body).toBe(`${hex(owner)} unchanged\n`);
    expect(await marks(owner)).toEqual(before);
    expect(await shape(owner)).toEqual([-6, 0x20, -13, 0x13]);
  });

  it('53, 54: a revocation that comes alone revokes the key, and an older copy does not undo it', async () => {
    const owner = new Owner();
    const whole = block(owner.primary, ...owner.userId('Ann'));
    await world.added(whole);
    const answer = await world.add(block(owner.sign(0x20)));
    expect([answer.status, answer.body]).toEqual([200, `${hex(owner)} updated\n`]);
    expect(await flags(owner)).toEqual(['r', '']);
    const before = await served(owner);
    expect((await world.add(whole)).body).toBe(`${hex(owner)} unchanged\n`);
    expect((await world.add(block(owner.sign(0x20)))).body).toBe(`${hex(owner)} unchanged\n`);
    expect(await served(owner)).toBe(before);
  });

  it('54: so does one of a subkey or of a user id, labelled as a signature', async () => {
    const owner = new Owner();
    const subkey = makeEncryptionKey();
    await world.added(
      block(owner.primary, ...owner.userId('Ann'), ...owner.userId('Old'), ...owner.boundSubkey(subkey)),
    );
    const later = { created: CREATED + 10 };
    const userId = Buffer.from('Old');
    const alone = block(owner.sign(0x30, { ...later, userId }), owner.sign(0x28, { ...later, subkey }));
    const answer = await world.add(alone.replaceAll('PUBLIC KEY BLOCK', 'SIGNATURE'));
    expect([answer.status, answer.body]).toEqual([200, `${hex(owner)} updated\n`.repeat(2)]);
    expect(await flags(owner)).toEqual(['', '', 'r']);
    const { body } = await world.lookup(`op=index&options=mr,sig&search=0x${hex(owner)}`);
    expect(body).toMatch(/^sub:.*:r$/m);
  });

  it('55: of a key that is not here, or by another one, it is refused', async () => {
    const [owner, other] = [new Owner(), new Owner()];
    await world.added(block(owner.primary, ...owner.userId('Ann')));
    for (const revocation of [
      other.sign(0x20),
      other.sign(0x20, { primary: owner.key.body }),
      other.sign(0x20, { primary: owner.key.body, anonymous: true }),
      // It names the key, and is not by it.
      other.sign(0x20, {
        primary: owner.key.body,
        anonymous: true,
        hashed: [[33, Buffer.from(`04${owner.key.facts.fingerprint}`, 'hex')]],
      }),
    ]) {
      const { status, body } = await world.add(block(revocation));
      expect([status, body.error.message]).toEqual([422, 'This revocation is of no key that is stored here']);
    }
    expect(await flags(owner)).toEqual(['', '']);
  });

  it('54: it may come in one upload with the key, in whatever order', async () => {
    const owner = new Owner();
    const answer = await world.add(
      `${block(owner.sign(0x20))}\n${block(owner.primary, ...owner.userId('Ann'))}`,
    );
    expect([answer.status, answer.body]).toEqual([200, `${hex(owner)} inserted\n${hex(owner)} updated\n`]);
    expect(await flags(owner)).toEqual(['r', '']);
  });

  it('56: a user id is valid again after a later certification', async () => {
    const owner = new Owner();
    const userId = Buffer.from('Ann');
    const [id] = owner.userId(userId) as [Packet];
    await world.added(
      block(owner.primary, ...owner.userId(userId), owner.sign(0x30, { userId, created: CREATED + 1 })),
    );
    expect(await flags(owner)).toEqual(['', 'r']);
    await world.added(block(owner.primary, id, owner.sign(0x13, { userId, created: CREATED + 2 })));
    expect(await flags(owner)).toEqual(['', '']);
  });

  it('57: a revoked subkey and the one that came after it are both served, the older one first', async () => {
    const owner = new Owner();
    const old = makeEncryptionKey();
    const young = makeEncryptionKey({ created: CREATED + 100 });
    const later = { created: CREATED + 100 };
    await world.added(block(owner.primary, ...owner.userId('Ann'), ...owner.boundSubkey(old)));
    await world.added(
      block(owner.primary, ...owner.boundSubkey(old), owner.sign(0x28, { ...later, subkey: old })),
    );
    await world.added(block(owner.primary, ...owner.boundSubkey(young, later)));
    expect(await shape(owner)).toEqual([-6, -13, 0x13, -14, 0x18, 0x28, -14, 0x18]);
    const bodies = (await packetsOf(owner))
      .filter(({ tag }) => tag === 14)
      .map(({ body }) => Buffer.from(body));
    expect(bodies).toEqual([old, young]);
    const { body } = await world.lookup(`op=index&options=mr,sig&search=0x${hex(owner)}`);
    const subkeys = (body as string).split('\n').filter((line) => line.startsWith('sub:'));
    expect(subkeys.map((line) => line.split(':').at(-1))).toEqual(['r', '']);
  });

  it('57: what was revoked before it came is revoked when it comes, and not served before', async () => {
    const owner = new Owner();
    const [userId, never] = [Buffer.from('Ann'), Buffer.from('Never')];
    const [id, certification] = owner.userId(never) as [Packet, Packet];
    const revocation = owner.sign(0x30, { userId: never, created: CREATED + 10 });
    await world.added(block(owner.primary, ...owner.userId(userId), id, revocation));
    expect(await flags(owner)).toEqual(['', '']);
    const packets = readArmor(await served(owner)).flatMap((part) => readPackets(part));
    expect(packets.map(({ tag }) => tag)).toEqual([6, 13, 2]);
    await world.added(block(owner.primary, id, certification));
    expect(await flags(owner)).toEqual(['', '', 'r']);
  });

  it('58, 59: of a secret key nothing is stored and nothing is written down, whatever is beside it', async () => {
    const [owner, other] = [new Owner(), new Owner()];
    const secret: Packet = { tag: 5, body: Buffer.concat([owner.key.body, Buffer.alloc(64, 0xc3)]) };
    const good = [other.primary, ...other.userId('Good')];
    const stub: Packet = {
      tag: 7,
      body: Buffer.concat([owner.key.body, Buffer.from([255, 0, 101, 0x47, 0x4e, 0x55, 1])]),
    };
    const lines = block(secret).split('\n').slice(2, 4);
    // Nothing of it may be in a log or in the data when the keystore is stopped.
    for (const line of lines) world.app.secrets.add('secret key', line);
    for (const text of [
      block(secret),
      block(secret).replaceAll('PUBLIC', 'PRIVATE'),
      block(...good, secret),
      `${block(...good)}\n${block(secret)}`,
      block(...good, stub),
    ]) {
      const { status, body } = await world.add(text);
      expect([status, body.error.message]).toEqual([422, expect.stringContaining('It was not stored')]);
      expect(JSON.stringify(body)).not.toContain(lines[0]);
    }
    for (const one of [owner, other])
      expect((await world.lookup(`op=get&search=0x${hex(one)}`)).status).toBe(404);
  });

  it.each([
    ['in one block', (one: Packet[], two: Packet[]) => block(...one, ...two)],
    [
      'in two blocks of one field',
      (one: Packet[], two: Packet[]) => `${block(...one)}\nand\n${block(...two)}`,
    ],
  ])('60: two certificates %s are both stored', async (_, upload) => {
    const [one, two] = [new Owner(), new Owner()];
    const parts = [one, two].map((owner) => [owner.primary, ...owner.userId('Ann')]) as [Packet[], Packet[]];
    const { status, body } = await world.add(upload(...parts));
    expect([status, body]).toEqual([200, `${hex(one)} inserted\n${hex(two)} inserted\n`]);
    for (const [at, owner] of [one, two].entries())
      expect(await served(owner)).toBe(block(...(await cleaned(parts[at] ?? []))));
  });

  it('61: what is broken is told, and nothing else suffers from it', async () => {
    const [owner, other] = [new Owner(), new Owner()];
    const good = block(owner.primary, ...owner.userId('Ann'));
    const cut = bytesOf([other.primary, ...other.userId('Cut')]).subarray(0, -3);
    const { status, body } = await world.add(
      writeArmor(Buffer.concat([bytesOf([owner.primary, ...owner.userId('Ann')]), cut])),
    );
    expect([status, (body as string).split('\n').toSorted()]).toEqual([
      200,
      ['', `${hex(owner)} inserted`, 'not stored: The OpenPGP data ends in the middle of a packet of type 2'],
    ]);
    const eleven = Array.from({ length: 11 }, () => good).join('\n');
    const many = await world.add(eleven);
    expect([many.status, many.body.error.reason]).toEqual([413, 'too_many_keys']);
  });

  it('76, 81, 82, 83, 88, 92: what cannot be kept is refused, and told why', async () => {
    const owner = new Owner('rsa2048');
    const { body } = owner.key;
    const [id, certification] = owner.userId('Ann') as [Packet, Packet];
    const broken = { tag: 2, body: Buffer.from(certification.body) };
    broken.body.writeUInt8(broken.body.readUInt8(20) ^ 1, 20);
    const later = Math.floor(Date.now() / 1000) + 2 * 86_400;
    const key = (version: number, algorithm: number): Packet => ({
      tag: 6,
      body: Buffer.concat([Buffer.of(version), body.subarray(1, 5), Buffer.of(algorithm), body.subarray(6)]),
    });
    const nothing = 'has no user id that its own signature confirms';
    for (const [packets, message] of [
      [[owner.primary, id, broken], nothing],
      [[owner.primary, ...owner.userId('Ann', { created: later })], nothing],
      [[key(3, 1), id, certification], 'version 3 are not supported'],
      [[key(5, 1), id, certification], 'version 5 are not supported'],
      [[key(4, 30), id, certification], 'algorithm 30 cannot be verified'],
      [[owner.primary, ...owner.userId('Ann', { hash: 1 })], nothing],
      [[key(4, 17), id, certification], 'DSA'],
    ] as const) {
      const answer = await world.add(block(...packets));
      expect([answer.status, answer.body.error]).toEqual([
        422,
        { code: 422, reason: 'bad_openpgp_data', message: expect.stringContaining(message) },
      ]);
    }
    expect((await world.lookup(`op=get&search=0x${hex(owner)}`)).status).toBe(404);
  });

  it('70, 73, 74, 77, 78, 85, 89: what does not belong to a key goes, and the rest is served', async () => {
    const [owner, other] = [new Owner(), new Owner()];
    const [id, certification] = owner.userId('Ann') as [Packet, Packet];
    const clean = [owner.primary, id, certification, ...owner.encryptionSubkey()];
    await world.added(block(...clean));
    const before = await served(owner);
    const theirs = makeKey('ed25519Legacy');
    const [, stuffed = certification] = owner.userId('Ann', { unhashed: [[100, Buffer.alloc(20_000)]] });
    const five = Buffer.concat([
      Buffer.of(5),
      Buffer.alloc(4),
      Buffer.of(18, 0, 0, 0, 60),
      Buffer.alloc(60, 1),
    ]);
    const sent = [
      ...clean,
      stuffed,
      ...Array.from({ length: 300 }, (_, at) =>
        other.sign(0x10, { primary: owner.key.body, userId: id.body, created: CREATED + at }),
      ),
      other.sign(0x20, { primary: owner.key.body }),
      { tag: 17, body: Buffer.alloc(3000, 1) },
      ...owner.userId('a'.repeat(1025)),
      ...owner.boundSubkey(theirs.body, { hashed: [[27, Buffer.of(2)]] }),
      ...owner.boundSubkey(five),
    ];
    expect((await world.add(block(...sent))).body).toBe(`${hex(owner)} unchanged\n`);
    expect(await served(owner)).toBe(before);
    expect(await flags(owner)).toEqual(['', '']);
  });

  it('80, 87: an expired key is served as such, and a short one with a warning for people', async () => {
    const [over, short] = [new Owner(), new Owner('rsa1024')];
    await world.added(
      block(over.primary, ...over.userId('Over', { hashed: [[9, Buffer.from([0, 0, 3, 232])]] })),
    );
    expect((await listed(over))[0]).toBe(`pub:${hex(over)}:22:256:${CREATED}:${CREATED + 1000}:e`);
    expect((await world.add(block(short.primary, ...short.userId('Short')))).status).toBe(200);
    expect((await listed(short))[0]).toBe(`pub:${hex(short)}:1:1024:${CREATED}::`);
    const accept = 'text/html';
    const page = await world.lookup(`op=index&search=0x${hex(short)}`, { accept });
    expect(page.body).toContain('<th scope="row">Warning</th>');
    const dsa = new Owner('dsa1024');
    await world.added(block(dsa.primary, ...dsa.userId('Short, too')));
    for (const operation of ['index', 'vindex'])
      expect((await world.lookup(`op=${operation}&search=0x${hex(dsa)}`, { accept })).body).toContain(
        'Warning',
      );
    expect((await world.lookup(`op=index&search=0x${hex(over)}`, { accept })).body).not.toContain('Warning');
  });

  it('86: keys of every kind are served as they came', async () => {
    for (const kind of ['rsa2048', 'dsa2048', 'nistP384', 'brainpoolP256r1', 'secp256k1', 'ed448'] as const) {
      const owner = new Owner(kind);
      const sent = [owner.primary, ...owner.userId(kind), ...owner.signingSubkey(makeKey(kind))];
      await world.added(block(...sent));
      expect((await packetsOf(owner)).map(({ tag }) => tag)).toEqual([6, 13, 2, 14, 2]);
      expect(await served(owner)).toBe(block(...(await cleaned(sent))));
    }
  });

  it('79: a designated revoker revokes when it is stored here, and not before', async () => {
    const [owner, revoker] = [new Owner(), new Owner()];
    const named = owner.sign(0x1f, {
      hashed: [[12, Buffer.from(`8016${revoker.key.facts.fingerprint}`, 'hex')]],
    });
    const whole = block(
      owner.primary,
      revoker.sign(0x20, { primary: owner.key.body }),
      named,
      ...owner.userId('Ann'),
    );
    await world.added(whole);
    expect(await flags(owner)).toEqual(['', '']);
    await world.added(block(revoker.primary, ...revoker.userId('Revoker')));
    await world.added(whole);
    expect(await flags(owner)).toEqual(['r', '']);
  });

  it('83: a key of version 6 needs no user id: it is given to who asks by its whole fingerprint', async () => {
    const owner = new Owner('ed25519', { version: 6 });
    const subkey = makeKey('ed25519', { version: 6 });
    await world.added(block(owner.primary, owner.sign(0x1f), ...owner.signingSubkey(subkey)));
    const { fingerprint, keyId } = owner.key.facts;
    expect(await listed(owner)).toEqual([`pub:${hex(owner)}:27:256:${CREATED}::`]);
    expect(await shape(owner)).toEqual([-6, 0x1f, -14, 0x18]);
    const whole = await served(owner);
    expect((await world.lookup(`op=get&search=0x${subkey.facts.fingerprint}`)).body).toBe(whole);
    for (const search of [keyId, fingerprint.slice(-16), fingerprint.slice(0, 8), fingerprint.slice(-8)])
      for (const operation of ['get', 'index&options=mr'])
        expect((await world.lookup(`op=${operation}&search=0x${search}`)).status).toBe(404);
    const json = await world.lookup(`op=index&options=json&search=0x${fingerprint}`);
    expect(json.body).toMatchObject([{ version: 6, fingerprint, userIDs: [], isRevoked: false }]);
    const page = await world.lookup(`op=vindex&search=0x${fingerprint}`, { accept: 'text/html' });
    expect([page.status, page.body]).toEqual([200, expect.stringContaining('Without a name')]);
    for (const path of [`06${fingerprint}`, `06/${hex(owner)}`])
      expect((await world.app.request(`/pks/v2/certs/by-vfingerprint/${path}`)).status).toBe(200);
    expect((await world.app.request(`/pks/v2/certs/by-vfingerprint/04${fingerprint}`)).status).toBe(404);
    // Revoked it is served the same.
    await world.added(block(owner.sign(0x20, { created: CREATED + 1 })));
    expect(await flags(owner)).toEqual(['r']);
    expect(await shape(owner)).toEqual([-6, 0x20, 0x1f, -14, 0x18]);
    expect((await world.add(block(owner.primary, ...owner.userId('Six')))).body).toBe(
      `${hex(owner)} updated\n`,
    );
    expect((await world.add(block(new Owner('ed25519', { version: 6 }).primary))).status).toBe(422);
  });
});
