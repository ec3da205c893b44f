import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { Tables } from '#apps/library/src/check/tables.store';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { eventId, FEED_ID } from '#apps/library/src/events/documents.store';
import { signerTerms } from '#apps/library/src/search/searchTerms';
import { claimId } from '#apps/library/src/signers/documents.store';
import type { Stored } from '#libs/documents';
import { mongoDatabase, sqliteDatabase, type TestDatabase } from '../../support/databases.js';
import { addKey, newTestKey, type TestKey } from '../../support/pgp-keys.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { requireNothingWrong, requireRepair } from './checked.js';
import { signedImage } from './signed-images.js';
import { hashOf, startLibrary, testImage, type World } from './world.js';

const PLACE = 'tester/data/tools';
const NOTHING = '0'.repeat(24);
const OTHER_KEY = 'ab'.repeat(20);
const WAIT = { interval: 20, timeout: 10_000 };
const SECRET = 'https://hooks.example.com/xyzzy';

/** By which the search finds what a key has signed. */
const wordOf = (fingerprint: string): string => signerTerms([fingerprint])[0] ?? '';

describe.each([
  { name: 'SQLite', open: sqliteDatabase, part: 2 },
  { name: 'MongoDB', open: mongoDatabase, part: 20 },
])('a check of signers, webhooks and events, on $name', ({ open, part }) => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let database: TestDatabase;
  let authority: TestAuthority;
  let world: World;
  let tables: Tables;
  let ann: TestKey;
  let bytes: Buffer;
  let image: { id: string; container: string };
  let plain: { id: string };
  /** The signed image as the check calls it. */
  let name: string;
  let fingerprint: string;

  const limits = { checkedPart: part, checkedImages: part, keyChangesInterval: 50, eventsBusy: 5 };
  const shared = () => ({
    home: folder.path,
    authority,
    open: async () => ({ env: database.env, stop: async () => undefined }),
  });
  const withKeystore = () =>
    startLibrary({
      ...shared(),
      limits,
      modules: [KeystoreModule],
      env: { SCS_SERVICES: 'library,keystore' },
    });
  const found = async (): Promise<unknown> => {
    const { status, body } = await world.anonymous.get(`/v1/search?signer=${fingerprint}`);
    expect(status).toBe(200);
    return body.data.image.map(({ id }: { id: string }) => id);
  };
  const looked = () => vi.waitFor(async () => expect(await found()).toEqual([image.id]), WAIT);
  const must = async <D>(wanted: Promise<Stored<D> | undefined>): Promise<Stored<D>> => {
    const document = await wanted;
    if (document === undefined) throw new Error('no such document');
    return document;
  };

  beforeAll(async () => {
    folder = await temporaryFolder();
    database = await open();
    authority = await TestAuthority.make();
    ann = await newTestKey('Ann');
    fingerprint = ann.fingerprint.toLowerCase();
    world = await withKeystore();
    const { status } = await addKey(world.app, ann.armored, world.tester.token ?? '');
    if (status !== 200) throw new Error(`The keystore answered ${status}`);
    bytes = await signedImage(ann);
    image = await world.tester.push(PLACE, bytes, { tags: ['signed'] });
    plain = await world.tester.push(PLACE, await testImage());
    name = `${PLACE}@${hashOf(bytes)}`;
    await looked();
    await world.stop();
    // Without a keystore nothing is looked at: what is damaged by hand stays so.
    world = await startLibrary({ ...shared(), limits });
    tables = new Tables(world.app.get<Database>(DATABASE));
  });
  afterAll(async () => {
    await world.stop();
    await database.stop();
    await folder.remove();
  });

  it('finds nothing where nobody has interfered', async () => {
    await requireNothingWrong(world);
    expect((await must(tables.signedImages.get(image.id))).value.signers).toHaveLength(1);
    expect(await tables.claims.get(claimId({ fingerprint, image: image.id }))).toBeDefined();
  });

  it('finds an image that its key does not lead to', async () => {
    const id = claimId({ fingerprint, image: image.id });
    const missing = { kind: 'claim_missing', name, what: fingerprint } as const;
    await tables.claims.delete(id);
    await requireRepair(world, [missing]);
    // One that the index does not find it by.
    await tables.claims.put(id, { fingerprint: OTHER_KEY, image: image.id });
    await requireRepair(world, [missing]);
    expect((await must(tables.claims.get(id))).value).toEqual({ fingerprint, image: image.id });
  });

  it('finds keys that lead to nothing, and to what has no signature by them', async () => {
    for (const target of [NOTHING, plain.id, image.id]) {
      const claim = { fingerprint: OTHER_KEY, image: target };
      await tables.claims.put(claimId(claim), claim);
      await requireRepair(world, [{ kind: 'claim_stray', name: OTHER_KEY, what: target }]);
      expect(await tables.claims.get(claimId(claim))).toBeUndefined();
    }
  });

  it('finds what is known of the signatures of no image, and of one without signatures', async () => {
    const { due: _, ...value } = (await must(tables.signedImages.get(image.id))).value;
    for (const target of [NOTHING, plain.id]) {
      await tables.signedImages.put(target, { ...value, image: target, signers: [] });
      await requireRepair(world, [{ kind: 'signatures_stray', name: target }]);
      expect(await tables.signedImages.get(target)).toBeUndefined();
    }
  });

  it('finds a record that names other signers, and goes by what is known', async () => {
    const before = await must(tables.images.get(image.id));
    const { value } = before;
    const known = await must(tables.signedImages.get(image.id));
    // Somebody more, whom no word leads to; the word is said, too, and both are put right.
    await tables.images.put(image.id, { ...value, signers: [fingerprint, OTHER_KEY] });
    await requireRepair(world, [
      { kind: 'signers_wrong', name, what: [fingerprint, OTHER_KEY].toSorted().join(' ') },
      { kind: 'term_missing', name, what: wordOf(OTHER_KEY) },
    ]);
    expect((await must(tables.images.get(image.id))).value).toEqual(value);
    // It is looked at again, as soon as there is a keystore.
    expect((await must(tables.signedImages.get(image.id))).value).toMatchObject({
      ...known.value,
      due: expect.any(Number),
    });
    // Nobody at all, with a word that leads to it.
    await tables.images.put(image.id, { ...value, signers: [] });
    await requireRepair(world, [
      { kind: 'signers_wrong', name },
      { kind: 'term_stray', name, what: wordOf(fingerprint) },
    ]);
    expect(await found()).toEqual([image.id]);
  });

  it('finds nothing wrong with a copy of an image whose record and signatures differ', async () => {
    const { value } = await must(tables.images.get(image.id));
    await tables.images.put(image.id, { ...value, signers: [] });
    // Signers change between the two readings of a copy: what is known of the signatures counts for both.
    const copy = await world.tester.push('tester/data/copy', bytes);
    expect((await must(tables.images.get(copy.id))).value.signers).toEqual([fingerprint]);
    await requireRepair(world, [
      { kind: 'signers_wrong', name },
      { kind: 'term_stray', name, what: wordOf(fingerprint) },
    ]);
    expect(await found()).toEqual(expect.arrayContaining([image.id, copy.id]));
    const gone = await world.tester.send('DELETE', `/v1/images/tester/data/copy:${value.hash}`);
    expect(gone.status).toBe(200);
    await requireNothingWrong(world);
  });

  it('finds signers of an image without signatures', async () => {
    const { value } = await must(tables.images.get(plain.id));
    await tables.images.put(plain.id, { ...value, signers: [OTHER_KEY] });
    const called = `${PLACE}@${value.hash}`;
    await requireRepair(world, [
      { kind: 'signers_wrong', name: called, what: OTHER_KEY },
      { kind: 'term_missing', name: called, what: wordOf(OTHER_KEY) },
    ]);
    const { signers } = (await must(tables.images.get(plain.id))).value;
    expect(signers ?? []).toEqual([]);
  });

  it('finds words of a signer that are missing or stray', async () => {
    const word = wordOf(fingerprint);
    const term = await must(tables.terms.get(`${image.id}/s0`));
    await tables.terms.delete(term.id);
    await requireRepair(world, [{ kind: 'term_missing', name, what: word }]);
    expect(await found()).toEqual([image.id]);
    await tables.terms.put(`${image.id}/s7`, { ...term.value, term: OTHER_KEY });
    await requireRepair(world, [{ kind: 'term_stray', name, what: OTHER_KEY }]);
  });

  it('finds a webhook of no entity, and deliveries of no webhook, and says no address', async () => {
    const webhook = {
      entity: NOTHING,
      entityName: 'gone',
      url: SECRET,
      kinds: [],
      description: '',
      secret: 'sealed',
      disabled: 'by_owner',
      createdBy: 'tester',
      createdAt: '2026-01-01T00:00:00.000Z',
      updatedAt: '2026-01-01T00:00:00.000Z',
    } as const;
    const deliver = async (of: string, count: number): Promise<void> => {
      for (let n = 0; n < count; n += 1)
        await tables.deliveries.put(`${of}-${n}`, {
          webhook: of,
          event: { id: 'e'.repeat(24), kind: 'ping', time: '2026-01-01T00:00:00.000Z', place: 'gone' },
          state: 'given_up',
          order: `2999 ${n}`,
          createdAt: '2999-01-01T00:00:00.000Z',
          over: `2999 ${n}`,
          until: 1,
          attempts: 1,
          log: [],
        });
    };
    const [hook, other] = ['a'.repeat(24), 'b'.repeat(24)];
    await tables.webhooks.put(hook, { ...webhook, kinds: [] });
    await deliver(hook, 5);
    await requireRepair(world, [{ kind: 'webhook_stray', name: `gone@${hook}`, what: NOTHING }]);
    await deliver(other, 1);
    await requireRepair(world, [{ kind: 'delivery_stray', name: other, recorded: 1, counted: 0 }]);
    const left = await tables.deliveries.scan('byWebhook', { limit: 10 });
    expect(left.items).toEqual([]);
  });

  it('finds a feed of events that is wrong about where it begins or ends', async () => {
    // Everything has its number.
    await expect.poll(async () => (await tables.feeds.get(FEED_ID))?.value.head).toBeGreaterThan(5);
    const feed = (await must(tables.feeds.get(FEED_ID))).value;
    const wrong = (what: 'first' | 'last', recorded: number, counted: number) =>
      ({ kind: 'feed_wrong', name: '/v1/events', what, recorded, counted }) as const;
    await tables.feeds.put(FEED_ID, { ...feed, head: feed.head - 2 });
    await requireRepair(world, [wrong('last', feed.head - 2, feed.head)]);
    await tables.feeds.delete(FEED_ID);
    await requireRepair(world, [wrong('last', 0, feed.head)]);
    expect((await must(tables.feeds.get(FEED_ID))).value).toEqual(feed);
    // Whoever has read only this one is told that something is missing.
    await tables.events.delete(eventId(feed.first));
    await requireRepair(world, [wrong('first', feed.first, feed.first + 1)]);
    // Numbers go on, which they would not have.
    const image = await world.tester.push('tester/data/next', await testImage());
    expect(image.id).toMatch(/^[0-9a-f]{24}$/);
    await expect
      .poll(async () => (await tables.feeds.get(FEED_ID))?.value.head, WAIT)
      .toBeGreaterThan(feed.head);
  });

  it('announces an image that came with an older version, so that it is found by its signers', async () => {
    const claim = claimId({ fingerprint, image: image.id });
    const { value } = await must(tables.images.get(image.id));
    // With signers that were written down, they are in doubt and stay until somebody has looked.
    await tables.signedImages.delete(image.id);
    await requireRepair(world, [{ kind: 'signatures_missing', name }]);
    expect(await found()).toEqual([image.id]);
    expect((await must(tables.signedImages.get(image.id))).value).toMatchObject({ changed: true });

    const { signers: _, checkedAt: __, ...older } = value;
    await tables.images.put(image.id, older);
    await tables.signedImages.delete(image.id);
    await tables.claims.delete(claim);
    await tables.terms.delete(`${image.id}/s0`);
    expect(await found()).toEqual([]);
    await requireRepair(world, [{ kind: 'signatures_missing', name }]);
    expect(await tables.claims.get(claim)).toBeDefined();
    await world.stop();
    world = await withKeystore();
    await looked();
    await requireNothingWrong(world);
  });
});
