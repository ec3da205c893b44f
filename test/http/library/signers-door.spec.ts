import { describe, expect, it, vi } from 'vitest';
import { EntitiesStore } from '#apps/library/src/tree/entities.store';
import type { AppAnswer } from '../../support/app.js';
import { auditEntries } from '../../support/audit.js';
import { newTestKey, type TestKey } from '../../support/pgp-keys.js';
import { changedImage, signedImage } from './signed-images.js';
import { describeSigned, WAIT } from './signers-scene.js';
import { hashOf, type StockClient, testImage } from './world.js';

const short = ({ fingerprint }: Pick<TestKey, 'fingerprint'>) => fingerprint.slice(-16).toUpperCase();

describeSigned('signers of images', (on) => {
  const { publish, newPlace, signaturesOf, looked } = on;

  describe('the door', () => {
    let guild = 0;
    /** An entity of its own, with rules. */
    const newEntity = async (rules?: object) => {
      const entity = `guild${(guild += 1)}`;
      const person = async (role: 'owner' | 'writer' | 'reader') =>
        on.world.client(
          await on.world.authority.token({ username: `${role}${guild}`, organisations: { [entity]: role } }),
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
      expect(await on.world.temporaries()).toEqual([]);
      expect(await on.world.blobs()).not.toContain(hash.replace('sha256.', ''));
      expect((await on.world.anonymous.get(`/v1/images/${path}:${hash}`)).status).toBe(404);
      const { entity: id } = (await client.get(`/v1/containers/${path}`)).body.data as { entity: string };
      expect((await on.world.app.get(EntitiesStore).get(id))?.value).toMatchObject({ size: 0, held: 0 });
    };

    it('is closed and opened by owners alone, and said to members alone', async () => {
      const { entity, owner, writer, reader, change } = await newEntity();
      const rules = { push: [on.ann.fingerprint.toUpperCase()], pull: [on.bob.fingerprint] };
      expect((await change(rules, writer)).status).toBe(403);
      const { status, body } = await change(rules);
      const lower = { push: [on.ann.fingerprint], pull: [on.bob.fingerprint] };
      expect([status, body.data.requiredSigners]).toEqual([200, lower]);
      expect((await reader.get(`/v1/entities/${entity}`)).body.data.requiredSigners).toEqual(lower);
      expect((await on.world.anonymous.get(`/v1/entities/${entity}`)).body.data.requiredSigners).toBeNull();
      // Other members of a change leave it as it is; null takes it away.
      await owner.send('PATCH', `/v1/manage/entities/${entity}`, { description: 'ours' });
      expect((await owner.get(`/v1/entities/${entity}`)).body.data.requiredSigners).toEqual(lower);
      expect((await change(null)).body.data.requiredSigners).toBeNull();
      const [last, , first] = await vi.waitFor(async () => {
        const found = await auditEntries(
          on.world.app,
          on.admin,
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
      const { writer, path } = await newEntity({ push: [on.bob.fingerprint, on.ann.fingerprint] });
      const image = await signedImage(on.ann);
      await writer.push(path, image, { tags: ['v1'] });
      // Known from the moment on in which it is there.
      expect((await writer.get(`/v1/images/${path}:v1`)).body.data).toMatchObject({
        uploaded: true,
        signers: [on.ann.fingerprint],
      });
      await looked(path, 'v1', { signers: [on.ann.fingerprint] });
    });

    const unfit: [string, () => Promise<Buffer>, string][] = [
      ['nobody has signed', () => testImage(), 'this one is not signed'],
      ['somebody else has signed', () => signedImage(on.bob), 'they have not signed all of this one'],
      [
        'was changed',
        async () => changedImage(await signedImage(on.ann)),
        'over something else than what is in it',
      ],
      ['only names them', () => testImage({ signedBy: on.ann.fingerprint }), 'they have not signed'],
    ];
    it.each(unfit)('keeps out what %s: in one piece', async (_, make, why) => {
      const { entity, writer, path, idOf } = await newEntity({ push: [on.ann.fingerprint] });
      const image = await make();
      const container = await idOf(writer);
      const id = (await writer.image(container, hashOf(image))).body.data.id as string;
      const started = await writer.send('POST', `/v2/imagefile/${id}`, { filesize: image.length });
      expect((await writer.put(started.body.data.uploadURL as string, image)).status).toBe(200);
      const ended = await writer.send('PUT', `/v2/imagefile/${id}/_complete`, {});
      expect(ended.status).toBe(403);
      expect(messageOf(ended)).toContain(
        `Only images signed by ${short(on.ann)} may be pushed to ${entity}: `,
      );
      expect(messageOf(ended)).toContain(why);
      expect(ended.body.error.reason).toBe('signer_required');
      await nothingOf(entity, writer, path, hashOf(image));
      await vi.waitFor(async () => {
        const [entry] = await auditEntries(on.world.app, on.admin, `outcome=refused&subject=${entity}`);
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
      const { entity, writer, path, idOf } = await newEntity({ push: [on.ann.fingerprint] });
      const image = await signedImage(on.bob);
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
      const { entity, writer, path, idOf } = await newEntity({ push: [on.ann.fingerprint] });
      const image = await testImage();
      const id = (await writer.image(await idOf(writer), hashOf(image))).body.data.id as string;
      const answer = await on.world.app.request(`/v1/imagefile/${id}`, {
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
      await on.world.tester.push(elsewhere, image);
      const { entity, writer, path, idOf, change } = await newEntity({ push: [on.ann.fingerprint] });
      const refused = await writer.image(await idOf(writer), hashOf(image));
      expect([refused.status, refused.body.error.reason]).toEqual([403, 'signer_required']);
      expect((await writer.get(`/v1/images/${path}:${hashOf(image)}`)).status).toBe(404);
      // From before the rule: it stays, and is not pushed again.
      await change(null);
      const { id, container } = await writer.push(path, image, { tags: ['old'] });
      await change({ push: [on.ann.fingerprint] });
      const tagged = await writer.tag(container, 'latest', id);
      expect(tagged.status).toBe(403);
      expect(messageOf(tagged)).toContain(
        `Only images signed by ${short(on.ann)} may be pushed to ${entity}`,
      );
      expect((await on.world.anonymous.get(`/v1/imagefile/${path}:old`)).status).toBe(200);
    });

    it('lets nobody pull what none of them has signed, whenever it was pushed, and says so where stock clients show it', async () => {
      const { entity, writer, reader, path, change } = await newEntity();
      const [signed, unsigned] = [await signedImage(on.ann), await testImage()];
      await writer.push(path, signed, { tags: ['good'] });
      await writer.push(path, unsigned, { tags: ['old'] });
      await change({ pull: [on.ann.fingerprint] });
      for (const client of [on.world.anonymous, reader, writer, on.world.admin]) {
        const record = await client.get(`/v1/images/${path}:old?arch=amd64`);
        expect(record.status).toBe(403);
        expect(messageOf(record)).toContain(
          `Only images signed by ${short(on.ann)} may be pulled from ${entity}: this one is not signed`,
        );
        for (const headers of [{}, { range: 'bytes=0-9' }, { range: 'bytes=100-' }]) {
          const bytes = await on.world.app.request(`/v1/imagefile/${path}:old?arch=amd64`, {
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
      expect((await on.world.anonymous.get(byHash)).status).toBe(403);
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
      expect((await on.world.anonymous.get(file)).status).toBe(200);
      await publish(await key.revoked());
      await vi.waitFor(async () => expect((await on.world.anonymous.get(file)).status).toBe(403), WAIT);
      const record = await on.world.anonymous.get(`/v1/images/${gone.path}:latest?arch=amd64`);
      expect(messageOf(record)).toContain(`the key of ${short(key)} was revoked`);
      await writer.push(path, await signedImage(key));
      const other = await signedImage(key);
      await expect(gone.writer.push(gone.path, other)).rejects.toThrow(/_complete: 403 .*was revoked/);
    });

    it('says nothing of what the caller may not know of', async () => {
      const { writer, path, owner } = await newEntity({ pull: [on.ann.fingerprint] });
      await writer.push(path, await testImage());
      await owner.send('PATCH', `/v1/manage/containers/${path}`, { private: true });
      for (const client of [on.world.other, on.world.anonymous])
        for (const kind of ['images', 'imagefile']) {
          const hidden = await client.get(`/v1/${kind}/${path}:latest`);
          const absent = await client.get(`/v1/${kind}/${path}:absent`);
          expect(hidden.status).toBe(404);
          expect(messageOf(hidden).replace('latest', 'absent')).toBe(messageOf(absent));
        }
      expect((await signaturesOf(path, 'latest', on.world.other)).status).toBe(404);
      expect((await signaturesOf(path, 'latest', writer)).status).toBe(200);
    });
  });
});
