import { describe, expect, it, vi } from 'vitest';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { ImagesStore } from '#apps/library/src/images/images.store';
import { SignaturesStore } from '#apps/library/src/signers/signatures.store';
import { LIMITS as LIBRARY_LIMITS } from '#apps/library/src/limits';
import { ManualClock } from '#libs/core';
import { auditEntries } from '../../support/audit.js';
import { addKey, newTestKey } from '../../support/pgp-keys.js';
import { changedImage, signedBy, signedImage } from './signed-images.js';
import { bothServices, describeSigned, type Signatures, WAIT } from './signers-scene.js';
import { hashOf, testImage } from './world.js';

describeSigned('signers of images', (on) => {
  const { publish, newPlace, signaturesOf, looked } = on;

  describe('an image that arrives', () => {
    it('is shown with who has signed all of it', async () => {
      const path = newPlace();
      const image = await signedImage(on.ann, on.bob);
      await on.world.tester.push(path, image, { tags: ['v1'] });
      const { signatures, ...found } = await looked(path, 'v1');
      const signers = [on.ann.fingerprint, on.bob.fingerprint];
      expect(found).toMatchObject({ hash: hashOf(image), signed: true, signers });
      expect(signatures).toMatchObject(
        signers.map((fingerprint) => ({ fingerprint, state: 'good', group: 1 })),
      );
      expect((await signaturesOf(path, hashOf(image), on.world.anonymous)).body.data.signers).toEqual(
        signers,
      );
      expect((await on.world.anonymous.get(`/v1/images/${path}:v1`)).body.data.signers).toEqual(signers);
      const { body } = await on.world.tester.get(`/v1/manage/images/${path}`);
      expect(body.data).toMatchObject([{ signers, fingerprints: signers }]);
    });

    it('is signed by nobody when nobody has signed it, and nothing is asked about it', async () => {
      const path = newPlace();
      await on.world.tester.push(path, await testImage());
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
      const image = await testImage({ signedBy: on.ann.fingerprint });
      await on.world.tester.push(path, image);
      expect(await looked(path, 'latest')).toMatchObject({ signers: [], signatures: [{ state: 'other' }] });
    });

    it('has no signers when it was changed afterwards', async () => {
      const path = newPlace();
      await on.world.tester.push(path, await changedImage(await signedImage(on.ann)));
      const states = [{ fingerprint: on.ann.fingerprint, state: 'changed' }];
      expect(await looked(path, 'latest')).toMatchObject({ signers: [], signatures: states });
    });

    it('keeps a signer whatever somebody else has added', async () => {
      const path = newPlace();
      const stranger = await newTestKey('Stranger');
      await on.world.tester.push(path, await signedBy(await signedImage(on.ann), stranger));
      const states = [{ state: 'good' }, { state: 'key_unknown' }];
      expect(await looked(path, 'latest')).toMatchObject({
        signers: [on.ann.fingerprint],
        signatures: states,
      });
    });

    it('has them at once in another container, without a transfer', async () => {
      const [one, other] = [newPlace(), newPlace()];
      const image = await signedImage(on.ann);
      await on.world.tester.push(one, image);
      await looked(one, 'latest');
      await on.world.tester.push(other, image);
      expect((await on.world.tester.get(`/v1/images/${other}:latest`)).body.data.signers).toEqual([
        on.ann.fingerprint,
      ]);
      await looked(other, 'latest', { signers: [on.ann.fingerprint] });
    });
  });

  describe('a key that changes', () => {
    it('counts as soon as the keystore has it', async () => {
      const path = newPlace();
      const late = await newTestKey('Late');
      await on.world.tester.push(path, await signedImage(late));
      await looked(path, 'latest', { signers: [], signatures: [{ state: 'key_unknown' }] });
      await publish(late.armored);
      const { signatures } = await looked(path, 'latest', { signers: [late.fingerprint] });
      expect(signatures).toMatchObject([{ state: 'good' }]);
    });

    it('counts no more when it is revoked, for all images, and that is in the audit trail', async () => {
      const leaving = await newTestKey('Leaving');
      await publish(leaving.armored);
      const paths = [newPlace(), newPlace()];
      for (const path of paths) await on.world.tester.push(path, await signedImage(leaving, on.ann));
      for (const path of paths)
        await looked(path, 'latest', { signers: [leaving.fingerprint, on.ann.fingerprint] });
      await publish(await leaving.revoked());
      for (const path of paths) {
        const states = [{ state: 'key_revoked' }, { state: 'good' }];
        await looked(path, 'latest', { signers: [on.ann.fingerprint], signatures: states });
        expect((await on.world.tester.get(`/v1/images/${path}:latest`)).body.data.signers).toEqual([
          on.ann.fingerprint,
        ]);
      }
      const entries = await vi.waitFor(async () => {
        const found = await auditEntries(on.world.app, on.admin, 'action=image.unsign');
        const own = found.filter(({ before }) => before?.['fingerprint'] === leaving.fingerprint);
        expect(own).toHaveLength(2);
        return own;
      }, WAIT);
      const named = entries.map(({ subject }) => subject.name.replace(/@.*/, '')).toSorted();
      expect(named).toEqual(paths.toSorted());
      expect(entries[0]).toMatchObject({ actor: null, outcome: 'done', reason: 'key_revoked' });
    });
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
      const { id } = await world.tester.push(path, await signedImage(ann));
      // It is looked at when it arrives, and right afterwards: time goes on when both have been.
      const due = clock.now().getTime() + LIBRARY_LIMITS.badSignatureRetry;
      await vi.waitFor(
        async () => expect((await world.app.get(SignaturesStore).get(id))?.value.due).toBe(due),
        WAIT,
      );
      expect((await shown()).signatures).toMatchObject([{ state: 'bad' }]);
      clock.advance(LIBRARY_LIMITS.badSignatureRetry);
      await vi.waitFor(async () => expect((await shown()).signers).toEqual([ann.fingerprint]), WAIT);
    } finally {
      await world.stop();
    }
  });
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
