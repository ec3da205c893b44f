import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { ImagesStore } from '#apps/library/src/images/images.store';
import { DoorService } from '#apps/library/src/signers/door.service';
import { KeystoreKeys } from '#apps/library/src/signers/keystoreKeys';
import { SignersService } from '#apps/library/src/signers/signers.service';
import { SignaturesStore } from '#apps/library/src/signers/signatures.store';
import { EntitiesStore } from '#apps/library/src/tree/entities.store';
import { LIMITS as LIBRARY_LIMITS } from '#apps/library/src/limits';
import { ManualClock } from '#libs/core';
import type { SignaturesAnswer } from '#libs/contract';
import type { AppAnswer } from '../../support/app.js';
import { auditEntries } from '../../support/audit.js';
import { mongoDatabase, sqliteDatabase } from '../../support/databases.js';
import { addKey, newTestKey, type TestKey } from '../../support/pgp-keys.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { requireNothingWrong } from './checked.js';
import { changedImage, signedBy, signedImage } from './signed-images.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

const WAIT = { interval: 20, timeout: 10_000 };
const LIMITS = { keyChangesInterval: 50, keystoreRetry: 50, keystoreRetryLongest: 100 };

type Signatures = SignaturesAnswer['data'];

const bothServices = (more: Parameters<typeof startLibrary>[0] = {}) =>
  startLibrary({
    ...more,
    modules: [KeystoreModule],
    limits: LIMITS,
    env: { SCS_SERVICES: 'library,keystore', ...more.env },
  });

const short = ({ fingerprint }: Pick<TestKey, 'fingerprint'>) => fingerprint.slice(-16).toUpperCase();

describe.each([
  { name: 'SQLite', open: sqliteDatabase },
  { name: 'MongoDB', open: mongoDatabase },
])('signers of images over $name', ({ open }) => {
  let world: World;
  let ann: TestKey;
  let bob: TestKey;
  let admin: string;
  let places = 0;
  beforeAll(async () => {
    world = await bothServices({ open });
    admin = await world.authority.token({ username: 'root', administrator: true });
    [ann, bob] = [await newTestKey('Ann'), await newTestKey('Bob')];
    for (const { armored } of [ann, bob]) await publish(armored);
  });
  afterAll(async () => {
    await requireNothingWrong(world);
    await world.stop();
  });

  const publish = async (armored: string) => {
    const { status } = await addKey(world.app, armored, world.tester.token ?? '');
    expect(status).toBe(200);
  };
  const newPlace = (entity = 'tester') => `${entity}/place${(places += 1)}/image`;
  const signaturesOf = (path: string, ref: string, client: StockClient = world.tester) =>
    client.get(`/v1/manage/signatures/${path}/${ref}`);
  /** When they have been looked at, and nothing is in doubt. */
  const looked = (path: string, ref: string, expected: object = {}): Promise<Signatures> =>
    vi.waitFor(async () => {
      const { status, body } = await signaturesOf(path, ref);
      expect(status).toBe(200);
      expect(body.data).toMatchObject({ due: false, checkedAt: expect.any(String), ...expected });
      return (body as SignaturesAnswer).data;
    }, WAIT);

  describe('an image that arrives', () => {
    it('is shown with who has signed all of it', async () => {
      const path = newPlace();
      const image = await signedImage(ann, bob);
      await world.tester.push(path, image, { tags: ['v1'] });
      const { signatures, ...found } = await looked(path, 'v1');
      const signers = [ann.fingerprint, bob.fingerprint];
      expect(found).toMatchObject({ hash: hashOf(image), signed: true, signers });
      expect(signatures).toMatchObject(
        signers.map((fingerprint) => ({ fingerprint, state: 'good', group: 1 })),
      );
      expect((await signaturesOf(path, hashOf(image), world.anonymous)).body.data.signers).toEqual(signers);
      expect((await world.anonymous.get(`/v1/images/${path}:v1`)).body.data.signers).toEqual(signers);
      const { body } = await world.tester.get(`/v1/manage/images/${path}`);
      expect(body.data).toMatchObject([{ signers, fingerprints: signers }]);
    });

    it('is signed by nobody when nobody has signed it, and nothing is asked about it', async () => {
      const path = newPlace();
      await world.tester.push(path, await testImage());
      const { body } = await signaturesOf(path, 'latest');
      expect(body.data).toMatchObject({
        signed: false,
        signers: [],
        signatures: [],
        checkedAt: null,
        due: false,
      });
    });

    it('is not signed by whom its signatures only name', async () => {
      const path = newPlace();
      const image = await testImage({ signedBy: ann.fingerprint });
      await world.tester.push(path, image);
      expect(await looked(path, 'latest')).toMatchObject({ signers: [], signatures: [{ state: 'other' }] });
    });

    it('has no signers when it was changed afterwards', async () => {
      const path = newPlace();
      await world.tester.push(path, await changedImage(await signedImage(ann)));
      const states = [{ fingerprint: ann.fingerprint, state: 'changed' }];
      expect(await looked(path, 'latest')).toMatchObject({ signers: [], signatures: states });
    });

    it('keeps a signer whatever somebody else has added', async () => {
      const path = newPlace();
      const stranger = await newTestKey('Stranger');
      await world.tester.push(path, await signedBy(await signedImage(ann), stranger));
      const states = [{ state: 'good' }, { state: 'key_unknown' }];
      expect(await looked(path, 'latest')).toMatchObject({ signers: [ann.fingerprint], signatures: states });
    });

    it('has them at once in another container, without a transfer', async () => {
      const [one, other] = [newPlace(), newPlace()];
      const image = await signedImage(ann);
      await world.tester.push(one, image);
      await looked(one, 'latest');
      await world.tester.push(other, image);
      expect((await world.tester.get(`/v1/images/${other}:latest`)).body.data.signers).toEqual([
        ann.fingerprint,
      ]);
      await looked(other, 'latest', { signers: [ann.fingerprint] });
    });
  });

  describe('a key that changes', () => {
    it('counts as soon as the keystore has it', async () => {
      const path = newPlace();
      const late = await newTestKey('Late');
      await world.tester.push(path, await signedImage(late));
      await looked(path, 'latest', { signers: [], signatures: [{ state: 'key_unknown' }] });
      await publish(late.armored);
      const { signatures } = await looked(path, 'latest', { signers: [late.fingerprint] });
      expect(signatures).toMatchObject([{ state: 'good' }]);
    });

    it('counts no more when it is revoked, for all images, and that is in the audit trail', async () => {
      const leaving = await newTestKey('Leaving');
      await publish(leaving.armored);
      const paths = [newPlace(), newPlace()];
      for (const path of paths) await world.tester.push(path, await signedImage(leaving, ann));
      for (const path of paths)
        await looked(path, 'latest', { signers: [leaving.fingerprint, ann.fingerprint] });
      await publish(await leaving.revoked());
      for (const path of paths) {
        const states = [{ state: 'key_revoked' }, { state: 'good' }];
        await looked(path, 'latest', { signers: [ann.fingerprint], signatures: states });
        expect((await world.tester.get(`/v1/images/${path}:latest`)).body.data.signers).toEqual([
          ann.fingerprint,
        ]);
      }
      const entries = await vi.waitFor(async () => {
        const found = await auditEntries(world.app, admin, 'action=image.unsign');
        const own = found.filter(({ before }) => before?.['fingerprint'] === leaving.fingerprint);
        expect(own).toHaveLength(2);
        return own;
      }, WAIT);
      const named = entries.map(({ subject }) => subject.name.replace(/@.*/, '')).toSorted();
      expect(named).toEqual(paths.toSorted());
      expect(entries[0]).toMatchObject({ actor: null, outcome: 'done', reason: 'key_revoked' });
    });
  });

  describe('the door', () => {
    let guild = 0;
    /** An entity of its own, with rules. */
    const newEntity = async (rules?: object) => {
      const entity = `guild${(guild += 1)}`;
      const person = async (role: 'owner' | 'writer' | 'reader') =>
        world.client(
          await world.authority.token({ username: `${role}${guild}`, organisations: { [entity]: role } }),
        );
      const [owner, writer, reader] = [await person('owner'), await person('writer'), await person('reader')];
      await owner.entity(entity);
      const change = async (requiredSigners: unknown, client = owner) =>
        client.send('PATCH', `/v1/manage/entities/${entity}`, { requiredSigners });
      if (rules !== undefined) expect((await change(rules)).status).toBe(200);
      const path = `${entity}/tools/image`;
      const idOf = (client: StockClient) => client.place(path);
      return { entity, owner, writer, reader, change, path, idOf };
    };
    const messageOf = ({ body }: AppAnswer) => body.error.message as string;
    /** Nothing of a refused push is there but a record without bytes. */
    const nothingOf = async (entity: string, client: StockClient, path: string, hash: string) => {
      const { body } = await client.get(`/v1/entities/${entity}`);
      expect(body.data.size).toBe(0);
      expect(await world.temporaries()).toEqual([]);
      expect(await world.blobs()).not.toContain(hash.replace('sha256.', ''));
      expect((await world.anonymous.get(`/v1/images/${path}:${hash}`)).status).toBe(404);
      const { entity: id } = (await client.get(`/v1/containers/${path}`)).body.data as { entity: string };
      expect((await world.app.get(EntitiesStore).get(id))?.value).toMatchObject({ size: 0, held: 0 });
    };

    it('is closed and opened by owners alone, and said to members alone', async () => {
      const { entity, owner, writer, reader, change } = await newEntity();
      const rules = { push: [ann.fingerprint.toUpperCase()], pull: [bob.fingerprint] };
      expect((await change(rules, writer)).status).toBe(403);
      const { status, body } = await change(rules);
      const lower = { push: [ann.fingerprint], pull: [bob.fingerprint] };
      expect([status, body.data.requiredSigners]).toEqual([200, lower]);
      expect((await reader.get(`/v1/entities/${entity}`)).body.data.requiredSigners).toEqual(lower);
      expect((await world.anonymous.get(`/v1/entities/${entity}`)).body.data.requiredSigners).toBeNull();
      // Other members of a change leave it as it is; null takes it away.
      await owner.send('PATCH', `/v1/manage/entities/${entity}`, { description: 'ours' });
      expect((await owner.get(`/v1/entities/${entity}`)).body.data.requiredSigners).toEqual(lower);
      expect((await change(null)).body.data.requiredSigners).toBeNull();
      const [last, , first] = await vi.waitFor(async () => {
        const found = await auditEntries(
          world.app,
          admin,
          `action=entity.change&outcome=done&subject=${entity}`,
        );
        expect(found).toHaveLength(3);
        return found;
      }, WAIT);
      expect(first?.after).toMatchObject({ signersToPush: lower.push, signersToPull: lower.pull });
      expect(last?.before).toMatchObject({ signersToPush: lower.push });
      expect(last?.after).not.toHaveProperty('signersToPush');
    });

    it.each([
      [{ push: [] }],
      [{ pull: ['abcd'] }],
      [{ push: 'a'.repeat(40) }],
      [{ push: Array.from({ length: 51 }, () => 'a'.repeat(40)) }],
    ])('takes no rule like %j', async (rules) => {
      const { change } = await newEntity();
      expect((await change(rules)).status).toBe(400);
    });

    it('takes in what one of them has signed', async () => {
      const { writer, path } = await newEntity({ push: [bob.fingerprint, ann.fingerprint] });
      const image = await signedImage(ann);
      await writer.push(path, image, { tags: ['v1'] });
      // Known from the moment on in which it is there.
      expect((await writer.get(`/v1/images/${path}:v1`)).body.data).toMatchObject({
        uploaded: true,
        signers: [ann.fingerprint],
      });
      await looked(path, 'v1', { signers: [ann.fingerprint] });
    });

    const unfit: [string, () => Promise<Buffer>, string][] = [
      ['nobody has signed', () => testImage(), 'this one is not signed'],
      ['somebody else has signed', () => signedImage(bob), 'they have not signed all of this one'],
      [
        'was changed',
        async () => changedImage(await signedImage(ann)),
        'over something else than what is in it',
      ],
      ['only names them', () => testImage({ signedBy: ann.fingerprint }), 'they have not signed'],
    ];
    it.each(unfit)('keeps out what %s: in one piece', async (_, make, why) => {
      const { entity, writer, path, idOf } = await newEntity({ push: [ann.fingerprint] });
      const image = await make();
      const container = await idOf(writer);
      const id = (await writer.image(container, hashOf(image))).body.data.id as string;
      const started = await writer.send('POST', `/v2/imagefile/${id}`, { filesize: image.length });
      expect((await writer.put(started.body.data.uploadURL as string, image)).status).toBe(200);
      const ended = await writer.send('PUT', `/v2/imagefile/${id}/_complete`, {});
      expect(ended.status).toBe(403);
      expect(messageOf(ended)).toContain(`Only images signed by ${short(ann)} may be pushed to ${entity}: `);
      expect(messageOf(ended)).toContain(why);
      expect(ended.body.error.reason).toBe('signer_required');
      await nothingOf(entity, writer, path, hashOf(image));
      await vi.waitFor(async () => {
        const [entry] = await auditEntries(world.app, admin, `outcome=refused&subject=${entity}`);
        expect(entry).toMatchObject({
          action: 'image.push',
          reason: 'signer_required',
          subject: { kind: 'entity', name: entity },
        });
      }, WAIT);
      // Nothing of it can be gone on with.
      expect((await writer.send('PUT', `/v2/imagefile/${id}/_complete`, {})).status).toBe(409);
    });

    it('keeps it out in parts', async () => {
      const { entity, writer, path, idOf } = await newEntity({ push: [ann.fingerprint] });
      const image = await signedImage(bob);
      const id = (await writer.image(await idOf(writer), hashOf(image))).body.data.id as string;
      const started = await writer.send('POST', `/v2/imagefile/${id}/_multipart`, { filesize: image.length });
      const { uploadID } = started.body.data as { uploadID: string };
      const part = await writer.send('PUT', `/v2/imagefile/${id}/_multipart`, { uploadID, partNumber: 1 });
      const sent = await writer.put(part.body.data.presignedURL as string, image);
      const completedParts = [{ partNumber: 1, token: sent.headers['etag'] }];
      const ended = await writer.send('PUT', `/v2/imagefile/${id}/_multipart_complete`, {
        uploadID,
        completedParts,
      });
      expect([ended.status, ended.body.error.reason]).toEqual([403, 'signer_required']);
      await nothingOf(entity, writer, path, hashOf(image));
    });

    it('keeps it out in the way of old clients', async () => {
      const { entity, writer, path, idOf } = await newEntity({ push: [ann.fingerprint] });
      const image = await testImage();
      const id = (await writer.image(await idOf(writer), hashOf(image))).body.data.id as string;
      const answer = await world.app.request(`/v1/imagefile/${id}`, {
        method: 'POST',
        body: image,
        ...(writer.token === undefined ? {} : { token: writer.token }),
      });
      expect([answer.status, answer.body.error.reason]).toEqual([403, 'signer_required']);
      await nothingOf(entity, writer, path, hashOf(image));
    });

    it('keeps it out when it is there already: from elsewhere, or by a tag', async () => {
      const elsewhere = newPlace();
      const image = await testImage();
      await world.tester.push(elsewhere, image);
      const { entity, writer, path, idOf, change } = await newEntity({ push: [ann.fingerprint] });
      const refused = await writer.image(await idOf(writer), hashOf(image));
      expect([refused.status, refused.body.error.reason]).toEqual([403, 'signer_required']);
      expect((await writer.get(`/v1/images/${path}:${hashOf(image)}`)).status).toBe(404);
      // From before the rule: it stays, and is not pushed again.
      await change(null);
      const { id, container } = await writer.push(path, image, { tags: ['old'] });
      await change({ push: [ann.fingerprint] });
      const tagged = await writer.tag(container, 'latest', id);
      expect(tagged.status).toBe(403);
      expect(messageOf(tagged)).toContain(`Only images signed by ${short(ann)} may be pushed to ${entity}`);
      expect((await world.anonymous.get(`/v1/imagefile/${path}:old`)).status).toBe(200);
    });

    it('lets nobody pull what none of them has signed, whenever it was pushed, and says so where stock clients show it', async () => {
      const { entity, writer, reader, path, change } = await newEntity();
      const [signed, unsigned] = [await signedImage(ann), await testImage()];
      await writer.push(path, signed, { tags: ['good'] });
      await writer.push(path, unsigned, { tags: ['old'] });
      await change({ pull: [ann.fingerprint] });
      for (const client of [world.anonymous, reader, writer, world.admin]) {
        const record = await client.get(`/v1/images/${path}:old?arch=amd64`);
        expect(record.status).toBe(403);
        expect(messageOf(record)).toContain(
          `Only images signed by ${short(ann)} may be pulled from ${entity}: this one is not signed`,
        );
        for (const headers of [{}, { range: 'bytes=0-9' }, { range: 'bytes=100-' }]) {
          const bytes = await world.app.request(`/v1/imagefile/${path}:old?arch=amd64`, {
            headers,
            ...(client.token === undefined ? {} : { token: client.token }),
          });
          expect([bytes.status, bytes.body.error.reason]).toEqual([403, 'signer_required']);
        }
        expect((await client.get(`/v1/imagefile/${path}:${hashOf(unsigned)}`)).status).toBe(403);
        expect((await client.get(`/v1/images/${path}:good?arch=amd64`)).status).toBe(200);
        expect((await client.get(`/v1/imagefile/${path}:good?arch=amd64`)).status).toBe(200);
      }
      const byHash = `/v1/images/${path}:${hashOf(unsigned)}?arch=amd64`;
      expect((await reader.get(byHash)).status).toBe(403);
      expect((await world.anonymous.get(byHash)).status).toBe(403);
      // Whoever may push asks this before every push (library contract §6.1).
      expect((await writer.get(byHash)).body.data.uploaded).toBe(true);
    });

    it('closes when the key is revoked', async () => {
      const { writer, path } = await newEntity();
      const key = await newTestKey('Gone');
      await publish(key.armored);
      const gone = await newEntity({ push: [key.fingerprint], pull: [key.fingerprint] });
      const image = await signedImage(key);
      await gone.writer.push(gone.path, image);
      const file = `/v1/imagefile/${gone.path}:latest?arch=amd64`;
      expect((await world.anonymous.get(file)).status).toBe(200);
      await publish(await key.revoked());
      await vi.waitFor(async () => expect((await world.anonymous.get(file)).status).toBe(403), WAIT);
      const record = await world.anonymous.get(`/v1/images/${gone.path}:latest?arch=amd64`);
      expect(messageOf(record)).toContain(`the key of ${short(key)} was revoked`);
      await writer.push(path, await signedImage(key));
      const other = await signedImage(key);
      await expect(gone.writer.push(gone.path, other)).rejects.toThrow(/_complete: 403 .*was revoked/);
    });

    it('says nothing of what the caller may not know of', async () => {
      const { writer, path, owner } = await newEntity({ pull: [ann.fingerprint] });
      await writer.push(path, await testImage());
      await owner.send('PATCH', `/v1/manage/containers/${path}`, { private: true });
      for (const client of [world.other, world.anonymous])
        for (const kind of ['images', 'imagefile']) {
          const hidden = await client.get(`/v1/${kind}/${path}:latest`);
          const absent = await client.get(`/v1/${kind}/${path}:absent`);
          expect(hidden.status).toBe(404);
          expect(messageOf(hidden).replace('latest', 'absent')).toBe(messageOf(absent));
        }
      expect((await signaturesOf(path, 'latest', world.other)).status).toBe(404);
      expect((await signaturesOf(path, 'latest', writer)).status).toBe(200);
    });
  });
});

describe('a keystore that does not answer', () => {
  it('keeps nothing out where there is no rule, and everything where there is one; what is left is done after a restart', async () => {
    const ann = await newTestKey('Ann');
    const authority = await TestAuthority.make();
    const { path: home, remove } = await temporaryFolder();
    const path = 'tester/tools/image';
    const change = (world: World, requiredSigners: unknown) =>
      world.tester.send('PATCH', '/v1/manage/entities/tester', { requiredSigners });
    const image = await signedImage(ann);

    const alone = await startLibrary({
      home,
      authority,
      limits: LIMITS,
      env: { SCS_KEYSTORE_URL: 'https://localhost:1' },
    });
    try {
      await alone.tester.push(path, image);
      const asked = await alone.tester.get(`/v1/manage/signatures/${path}/latest`);
      expect(asked.body.data).toMatchObject({ signed: true, signers: [], checkedAt: null, due: true });
      await change(alone, { push: [ann.fingerprint], pull: [ann.fingerprint] });
      const pull = await alone.anonymous.get(`/v1/images/${path}:latest`);
      expect([pull.status, pull.body.error.reason]).toEqual([503, 'signers_unknown']);
      expect(pull.body.error.message).toContain('the keystore cannot be asked');
      await expect(alone.tester.push(path, await signedImage(ann))).rejects.toThrow(/_complete: 503/);
      // Whoever has not signed at all need not wait for an answer.
      await expect(alone.tester.push(path, await testImage())).rejects.toThrow(/_complete: 403/);
      // The bytes of the other one have come, and wait for another try.
      expect(await alone.temporaries()).toHaveLength(1);
    } finally {
      await alone.stop();
    }

    const both = await bothServices({ home, authority });
    try {
      expect((await addKey(both.app, ann.armored, both.tester.token ?? '')).status).toBe(200);
      await vi.waitFor(async () => {
        const { body } = await both.anonymous.get(`/v1/images/${path}:latest`);
        expect(body.data?.signers).toEqual([ann.fingerprint]);
      }, WAIT);
      expect((await both.anonymous.get(`/v1/imagefile/${path}:latest`)).status).toBe(200);
    } finally {
      await both.stop();
      await remove();
    }
  });

  it('does not make a revoked key count: what is in doubt is kept in', async () => {
    const world = await bothServices();
    try {
      const [ann, path] = [await newTestKey('Ann'), 'tester/tools/image'];
      await addKey(world.app, ann.armored, world.tester.token ?? '');
      await world.tester.push(path, await signedImage(ann));
      await world.tester.send('PATCH', '/v1/manage/entities/tester', {
        requiredSigners: { pull: [ann.fingerprint] },
      });
      const pull = () => world.anonymous.get(`/v1/imagefile/${path}:latest`);
      expect((await pull()).status).toBe(200);
      // The feed was heard of, and then nothing more is: the key cannot be fetched.
      const find = vi.spyOn(world.app.get(KeystoreKeys), 'find').mockRejectedValue(new Error('silence'));
      await addKey(world.app, await ann.revoked(), world.tester.token ?? '');
      await vi.waitFor(async () => expect((await pull()).status).toBe(503), WAIT);
      find.mockRestore();
      await vi.waitFor(async () => expect((await pull()).status).toBe(403), WAIT);
    } finally {
      await world.stop();
    }
  });
});

describe('the clock', () => {
  /** Of the library; people sign by that of the machine. */
  const library = async (ahead: number) => {
    const clock = new ManualClock(new Date(Date.now() + ahead).toISOString());
    const world = await bothServices({ clock });
    const path = 'tester/tools/image';
    const shown = async () =>
      (await world.anonymous.get(`/v1/manage/signatures/${path}/latest`)).body.data as Signatures;
    return { clock, world, path, shown };
  };

  it('ends a key, without anybody saying so', async () => {
    const { clock, world, path, shown } = await library(60_000);
    try {
      const [ann, bob] = [await newTestKey('Ann', { expiresIn: 3600 }), await newTestKey('Bob')];
      for (const { armored } of [ann, bob]) await addKey(world.app, armored, world.tester.token ?? '');
      await world.tester.push(path, await signedImage(ann, bob));
      await vi.waitFor(async () => expect((await shown()).signers).toHaveLength(2), WAIT);
      expect((await shown()).signatures[0]?.until).toEqual(expect.any(String));
      clock.advance(3600_000);
      await vi.waitFor(async () => {
        expect(await shown()).toMatchObject({
          signers: [bob.fingerprint],
          signatures: [{ state: 'key_expired' }, { state: 'good' }],
        });
      }, WAIT);
    } finally {
      await world.stop();
    }
  });

  it('of a signer that is ahead of ours makes a signature count later, and not never', async () => {
    const { clock, world, path, shown } = await library(-30_000);
    try {
      const ann = await newTestKey('Ann');
      await addKey(world.app, ann.armored, world.tester.token ?? '');
      await world.tester.push(path, await signedImage(ann));
      await vi.waitFor(
        async () => expect((await shown()).signatures).toMatchObject([{ state: 'bad' }]),
        WAIT,
      );
      clock.advance(LIBRARY_LIMITS.badSignatureRetry);
      await vi.waitFor(async () => expect((await shown()).signers).toEqual([ann.fingerprint]), WAIT);
    } finally {
      await world.stop();
    }
  });
});

it.each([
  [{}, 'SCS_KEYSTORE_URL'],
  [{ SCS_KEYSTORE_URL: 'https://localhost:1', SCS_KEYSTORE_READS: 'token' }, 'SCS_KEYSTORE_READS=everybody'],
])('no rule is taken where nobody can be found to have signed: %j', async (env, remedy) => {
  const world = await startLibrary({ env });
  try {
    await world.tester.entity('tester');
    const change = (requiredSigners: unknown) =>
      world.tester.send('PATCH', '/v1/manage/entities/tester', { requiredSigners });
    const refused = await change({ pull: ['a'.repeat(40)] });
    expect([refused.status, refused.body.error.reason]).toEqual([409, 'no_public_keystore']);
    expect(refused.body.error.remedy).toContain(remedy);
    expect((await change(null)).status).toBe(200);
    // What is signed is pushed all the same.
    const path = 'tester/tools/image';
    await world.tester.push(path, await signedImage(await newTestKey('Ann')));
    const { body } = await world.tester.get(`/v1/manage/signatures/${path}/latest`);
    expect(body.data).toMatchObject({ signed: true, signers: [], checkedAt: null });
  } finally {
    await world.stop();
  }
});

it.each(['in one piece', 'in parts'])(
  'a rule that is made while the last bytes are being stored holds for them: %s',
  async (way) => {
    const world = await bothServices();
    try {
      const [path, image] = ['tester/tools/image', await testImage()];
      const container = await world.tester.place(path);
      const id = (await world.tester.image(container, hashOf(image))).body.data.id as string;
      const door = world.app.get(DoorService);
      const arrival = door.requireArrival.bind(door);
      vi.spyOn(door, 'requireArrival').mockImplementation(async (...given) => {
        const findings = await arrival(...given);
        const rule = { requiredSigners: { push: ['a'.repeat(40)] } };
        expect((await world.tester.send('PATCH', '/v1/manage/entities/tester', rule)).status).toBe(200);
        return findings;
      });
      const path2 = `/v2/imagefile/${id}`;
      let ended: AppAnswer;
      if (way === 'in one piece') {
        const started = await world.tester.send('POST', path2, { filesize: image.length });
        await world.tester.put(started.body.data.uploadURL as string, image);
        ended = await world.tester.send('PUT', `${path2}/_complete`, {});
      } else {
        const started = await world.tester.send('POST', `${path2}/_multipart`, { filesize: image.length });
        const { uploadID } = started.body.data as { uploadID: string };
        const part = await world.tester.send('PUT', `${path2}/_multipart`, { uploadID, partNumber: 1 });
        const sent = await world.tester.put(part.body.data.presignedURL as string, image);
        const completedParts = [{ partNumber: 1, token: sent.headers['etag'] }];
        ended = await world.tester.send('PUT', `${path2}/_multipart_complete`, { uploadID, completedParts });
      }
      expect([ended.status, ended.body.error.reason]).toEqual([403, 'signer_required']);
      expect(await world.temporaries()).toEqual([]);
      expect(await world.blobs()).toEqual([]);
      const [entity] = await world.app.get(EntitiesStore).list(1);
      expect(entity?.value).toMatchObject({ size: 0, held: 0 });
      await requireNothingWrong(world);
    } finally {
      await world.stop();
    }
  },
);

it('a key that changes while it is asked for keeps nobody waiting at the door', async () => {
  const world = await bothServices();
  try {
    const [ann, path] = [await newTestKey('Ann'), 'tester/tools/image'];
    await addKey(world.app, ann.armored, world.tester.token ?? '');
    await world.tester.push(path, await signedImage(ann));
    const rule = { requiredSigners: { pull: [ann.fingerprint] } };
    expect((await world.tester.send('PATCH', '/v1/manage/entities/tester', rule)).status).toBe(200);
    const pull = () => world.anonymous.get(`/v1/imagefile/${path}:latest`);
    expect((await pull()).status).toBe(200);
    const [keys, signers] = [world.app.get(KeystoreKeys), world.app.get(SignersService)];
    const find = keys.find.bind(keys);
    // Twice: what was found out by then is of no use.
    const asked = vi.spyOn(keys, 'find');
    for (let count = 0; count < 2; count += 1)
      asked.mockImplementationOnce(async (search) => {
        const found = await find(search);
        await signers.doubt(ann.fingerprint);
        return found;
      });
    await signers.doubt(ann.fingerprint);
    expect((await pull()).status).toBe(200);
    expect(asked.mock.calls.length).toBeGreaterThan(2);
  } finally {
    await world.stop();
  }
});

it('a key that is revoked while its image is let in does not count afterwards', async () => {
  const world = await bothServices();
  try {
    const [ann, path] = [await newTestKey('Ann'), 'tester/tools/image'];
    await addKey(world.app, ann.armored, world.tester.token ?? '');
    // Something is signed, so that changes are followed.
    await world.tester.push(path, await signedImage(ann));
    const rule = { requiredSigners: { push: [ann.fingerprint] } };
    expect((await world.tester.send('PATCH', '/v1/manage/entities/tester', rule)).status).toBe(200);
    const [signers, store] = [world.app.get(SignersService), world.app.get(SignaturesStore)];
    await vi.waitFor(async () => expect(await store.position()).toBeGreaterThan(0), WAIT);
    await vi.waitFor(async () => expect(await store.due(Date.now(), 1)).toEqual([]), WAIT);
    const examine = signers.examine.bind(signers);
    let isFirst = true;
    vi.spyOn(signers, 'examine').mockImplementation(async (...given) => {
      const findings = await examine(...given);
      if (!isFirst) return findings;
      isFirst = false;
      // The feed has been read past the revocation before anybody could know of this image.
      const before = await store.position();
      await addKey(world.app, await ann.revoked(), world.tester.token ?? '');
      await vi.waitFor(async () => expect(await store.position()).toBeGreaterThan(before), WAIT);
      return findings;
    });
    const image = await signedImage(ann);
    const { id } = await world.tester.push(path, image, { tags: [] });
    expect((await world.app.get(ImagesStore).get(id))?.value.uploaded).toBe(true);
    await vi.waitFor(async () => expect((await store.get(id))?.value.signers).toEqual([]), WAIT);
  } finally {
    await world.stop();
  }
});

it('an image from before signatures were looked at is looked at when somebody asks', async () => {
  const world = await bothServices();
  try {
    const [ann, path] = [await newTestKey('Ann'), 'tester/tools/image'];
    await addKey(world.app, ann.armored, world.tester.token ?? '');
    const { id } = await world.tester.push(path, await signedImage(ann));
    const looked = async () =>
      (await world.anonymous.get(`/v1/images/${path}:latest`)).body.data.signers as string[];
    await vi.waitFor(async () => expect(await looked()).toEqual([ann.fingerprint]), WAIT);
    const [store, images] = [world.app.get(SignaturesStore), world.app.get(ImagesStore)];
    await store.forget(id);
    const image = await images.get(id);
    if (image === undefined) throw new Error('no image');
    const { signers: _, checkedAt: __, ...before } = image.value;
    await world.app.get<Database>(DATABASE).commit([images.replacement(image, before)]);
    expect(await looked()).toEqual([]);
    await world.anonymous.get(`/v1/manage/signatures/${path}/latest`);
    await vi.waitFor(async () => expect(await looked()).toEqual([ann.fingerprint]), WAIT);
    // Nothing is left of an image that goes.
    await world.tester.send('DELETE', `/v1/images/${path}:latest?arch=amd64`);
    expect(await store.get(id)).toBeUndefined();
    expect(await store.hasClaims()).toBe(false);
  } finally {
    await world.stop();
  }
});
