import { type Packet, readArmor, readPackets, writeArmor } from '#libs/pgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, CREATED, makeEncryptionKey, Owner } from '../../../libs/pgp/src/testing/maker.js';
import { mongoDatabase, sqliteDatabase, type TestDatabase } from '../../support/databases.js';
import { hkpWorld, type HkpWorld } from './hkp-world.js';

/* The cases of keystore contract §6 that are about what an upload changes, by their numbers. */

const block = (...packets: readonly Packet[]): string => writeArmor(bytesOf(packets));
const hex = (owner: Owner): string => owner.key.facts.fingerprint.toUpperCase();

describe.each([
  { name: 'SQLite', open: sqliteDatabase },
  { name: 'MongoDB', open: mongoDatabase },
])('uploads to the keystore on $name', ({ open }) => {
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
    const lines = block(secret).split('\n').slice(2, 4);
    // Nothing of it may be in a log or in the data when the keystore is stopped.
    for (const line of lines) world.app.secrets.add('secret key', line);
    for (const text of [
      block(secret),
      block(secret).replaceAll('PUBLIC', 'PRIVATE'),
      block(...good, secret),
      `${block(...good)}\n${block(secret)}`,
    ]) {
      const { status, body } = await world.add(text);
      expect([status, body.error.message]).toEqual([422, expect.stringContaining('It was not stored')]);
      expect(JSON.stringify(body)).not.toContain(lines[0]);
    }
    for (const one of [owner, other])
      expect((await world.lookup(`op=get&search=0x${hex(one)}`)).status).toBe(404);
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

  it('83: a key of version 6 needs no user id', async () => {
    const owner = new Owner('ed25519', { version: 6 });
    await world.added(block(owner.primary, owner.sign(0x1f)));
    expect(await listed(owner)).toHaveLength(1);
    expect((await world.add(block(owner.primary, ...owner.userId('Six')))).body).toBe(
      `${hex(owner)} updated\n`,
    );
    expect((await world.add(block(new Owner('ed25519', { version: 6 }).primary))).status).toBe(422);
  });
});
