import { describe, expect, it, vi } from 'vitest';
import { ImagesStore } from '#apps/library/src/images/images.store';
import { DoorService } from '#apps/library/src/signers/door.service';
import { KeystoreKeys } from '#apps/library/src/signers/keystoreKeys';
import { SignersService } from '#apps/library/src/signers/signers.service';
import { SignaturesStore } from '#apps/library/src/signers/signatures.store';
import { EntitiesStore } from '#apps/library/src/tree/entities.store';
import type { AppAnswer } from '../../support/app.js';
import { addKey, newTestKey } from '../../support/pgp-keys.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { requireNothingWrong } from './checked.js';
import { signedImage } from './signed-images.js';
import { bothServices, LIMITS, WAIT } from './signers-scene.js';
import { hashOf, startLibrary, testImage, type World } from './world.js';

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
