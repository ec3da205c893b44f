import fc from 'fast-check';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import * as openpgp from 'openpgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedApp, startApp } from '../../support/app.js';
import { mongoDatabase, sqliteDatabase, type TestDatabase } from '../../support/databases.js';
import { addKey, getKeys, newTestKey, userIdsOf, withUserId } from '../../support/pgp-keys.js';
import { TestAuthority } from '../../support/tokens.js';
import { unhurried } from './unhurried.js';

const WRITERS = 20;

describe.each([
  { name: 'SQLite', open: sqliteDatabase, runs: 15 },
  // The stand-in for MongoDB takes twenty times as long.
  { name: 'MongoDB', open: mongoDatabase, runs: 4 },
])('writers of the same certificate at the same time, on $name', ({ open, runs }) => {
  let database: TestDatabase;
  let authority: TestAuthority;
  let app: StartedApp;
  let admin: string;
  /** Each of another account: uploads of one follow each other. */
  let tokens: string[];
  beforeAll(async () => {
    database = await open();
    authority = await TestAuthority.make();
    app = unhurried(
      await startApp({
        modules: [KeystoreModule, authority.module()],
        env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1', ...database.env },
      }),
    );
    admin = await authority.token({ username: 'root', administrator: true });
    tokens = await Promise.all(
      Array.from({ length: WRITERS }, (_, index) => authority.token({ username: `user${index}` })),
    );
  });
  afterAll(async () => {
    await app.stop();
    await database.stop();
  });

  const tokenOf = (index: number): string => tokens[index % WRITERS] ?? '';

  it('93: lose nothing of each other', async () => {
    const key = await newTestKey('Crowd');
    const copies = await Promise.all(
      tokens.map((_, index) => withUserId(key, { name: `Name${index}`, email: `name${index}@example.org` })),
    );
    const answers = await Promise.all(copies.map((copy, index) => addKey(app, copy, tokenOf(index))));
    expect(answers.map(({ status }) => status)).toEqual(copies.map(() => 200));
    const [stored] = await getKeys(app, `0x${key.fingerprint}`);
    const wanted = copies.map((_, index) => `Name${index} <name${index}@example.org>`);
    expect(userIdsOf(stored).toSorted()).toEqual(wanted.toSorted());
    for (const index of copies.keys())
      expect((await getKeys(app, `name${index}@example.org`)).map((one) => one.getFingerprint())).toEqual([
        key.fingerprint,
      ]);
    const record = await app.request(`/v1/keys/${key.fingerprint}`);
    expect(record.body.data.contributors).toBe(WRITERS);
    const { body } = await app.request(`/v1/keys/changes?fingerprint=${key.fingerprint}`);
    expect(body.data.changes).toHaveLength(1);
  });

  it('94: end in the same bytes, in whatever order and parts its packets come', async () => {
    const key = await newTestKey('Whole', {
      userIds: [1, 2, 3, 4].map((n) => ({ name: `Part${n}`, email: `part${n}@example.org` })),
      subkeys: [{ sign: true }, {}, {}],
    });
    const whole = await openpgp.readKey({ armoredKey: await key.revoked() });
    const [primary, ...groups] = groupsOf(whole);
    if (primary === undefined) throw new Error('no primary key');
    const get = async (): Promise<unknown> =>
      (await app.request(`/pks/lookup?op=get&search=0x${key.fingerprint}`)).body;
    const forget = (): Promise<unknown> =>
      app
        .request(`/v1/keys/blocked/${key.fingerprint}`, { method: 'PUT', token: admin })
        .then(() => app.request(`/v1/keys/blocked/${key.fingerprint}`, { method: 'DELETE', token: admin }));
    await addKey(app, whole.armor(), tokenOf(0));
    const stored = await get();
    const shuffled = fc.shuffledSubarray(groups, { minLength: groups.length, maxLength: groups.length });
    const cuts = fc.array(fc.nat(groups.length), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(shuffled, cuts, fc.boolean(), async (order, at, twice) => {
        await forget();
        const parts = split(order, at).map((part) => armorOf([primary, ...part]));
        const uploads = twice ? [...parts, ...parts.toReversed()] : parts;
        const answers = await Promise.all(uploads.map((part, index) => addKey(app, part, tokenOf(index))));
        expect(answers.map(({ status }) => status)).toEqual(uploads.map(() => 200));
        expect(await get()).toBe(stored);
      }),
      { numRuns: runs },
    );
  });
});

type Packets = openpgp.PacketList<openpgp.AnyPacket>;

/** Components of a certificate, each with the signatures behind it; the primary key with its revocation first. */
function groupsOf(key: openpgp.Key): openpgp.AnyPacket[][] {
  const groups: openpgp.AnyPacket[][] = [];
  for (const packet of key.toPacketList() as Iterable<openpgp.AnyPacket>)
    if (packet instanceof openpgp.SignaturePacket) groups.at(-1)?.push(packet);
    else groups.push([packet]);
  return groups;
}

/** Cuts a list at some places; no part is empty. */
function split<T>(list: readonly T[], at: readonly number[]): T[][] {
  const places = [...new Set([0, ...at, list.length])].toSorted((a, b) => a - b);
  return places.slice(1).map((place, index) => list.slice(places[index], place));
}

function armorOf(groups: readonly openpgp.AnyPacket[][]): string {
  const packets: Packets = new openpgp.PacketList();
  packets.push(...groups.flat());
  return openpgp.armor(openpgp.enums.armor.publicKey, packets.write());
}
