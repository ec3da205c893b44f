import { open, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { hashId, tagId } from '#apps/library/src/images/documents.store';
import { holdingId } from '#apps/library/src/storage/documents.store';
import { BlobStore } from '#libs/blobs';
import { describeDamaged, must, NOTHING, PLACE } from './check-scene.js';
import { checked, requireNothingWrong } from './checked.js';
import { hashOf, testImage } from './world.js';

describeDamaged('a check of what the library keeps', (on) => {
  const { begin, entity, expectRepair, fileOf } = on;

  it('finds an image that its hash does not lead to, and a hash that leads to nothing', async () => {
    const id = hashId(on.image.container, on.hash);
    await expectRepair(() => on.tables.hashes.delete(id), {
      kind: 'hash_missing',
      name: `${PLACE}@${on.hash}`,
    });
    await expectRepair(() => on.tables.hashes.put(id, { image: NOTHING }), {
      kind: 'hash_wrong',
      name: `${PLACE}@${on.hash}`,
      what: NOTHING,
    });
    const other = `sha256.${'1'.repeat(64)}`;
    await expectRepair(
      () => on.tables.hashes.put(hashId(on.image.container, other), { image: on.image.id }),
      {
        kind: 'hash_stray',
        name: `${PLACE}@${other}`,
        what: on.image.id,
      },
    );
    expect((await on.world.tester.get(`/v1/images/${PLACE}:${on.hash}`)).body.data.id).toBe(on.image.id);
  });

  it('finds words of an image that do not say what it is for, as an older version wrote them, or that say it wrongly', async () => {
    const file = await testImage({ says: { labels: { topic: 'Fluid dynamics' } } });
    const { id } = await on.world.tester.push('tester/data/copy', file);
    const name = `tester/data/copy@${hashOf(file)}`;
    const change = (slot: number, to: (term: string) => string) =>
      on.tables.terms.update(`${id}/w${slot}`, (value) => value && { ...value, term: to(value.term) });
    const { value } = await must(on.tables.terms.get(`${id}/w1`));
    await expectRepair(
      async () => {
        for (const slot of [0, 1]) await change(slot, (term) => term.replace(/ .*/, ''));
        await change(2, (term) => term.replace('amd64', 'arm64'));
      },
      { kind: 'terms_unmarked', name },
      { kind: 'term_wrong', name, what: 'topic' },
    );
    expect((await must(on.tables.terms.get(`${id}/w1`))).value).toEqual(value);
  });

  it('finds a tag of an image that is not there', async () => {
    const tag = { container: on.image.container, arch: 'arm64', tag: 'ghost', image: NOTHING };
    await expectRepair(
      async () => {
        await on.tables.tags.put(tagId(tag), { ...tag, updatedBy: 'x', updatedAt: '2026-01-01T00:00:00Z' });
        await on.tables.containers.increment(on.image.container, 'tags', 1);
      },
      { kind: 'tag_stray', name: `${PLACE}:ghost`, what: 'arm64' },
    );
    expect((await must(on.tables.containers.get(on.image.container))).value.tags).toBe(6);
  });

  it('finds what an entity is said to have, or not to have, and how often', async () => {
    const [tester, other] = [await entity(), await entity('other')];
    const name = `${PLACE}@${on.hash}`;
    const { account } = (await must(on.tables.holdings.get(holdingId(tester, on.hash)))).value;
    // Who brought it goes with what is lost: it is nobody's then.
    const before = (await must(on.tables.accounts.get('other'))).value;
    const numbers = (recorded: number) => ({ recorded, counted: recorded - on.bytes.length });
    await expectRepair(
      async () => {
        await on.tables.holdings.delete(holdingId(other, on.hash));
        await on.tables.holdings.put(holdingId(tester, on.hash), {
          size: on.bytes.length,
          images: 7,
          account,
        });
      },
      { kind: 'account_size', name: 'other', ...numbers(before.size) },
      { kind: 'account_held', name: 'other', ...numbers(before.held) },
      { kind: 'holding_wrong', name, what: tester, recorded: 7, counted: 2 },
      { kind: 'holding_missing', name, what: other, recorded: 0, counted: 1 },
    );
    await expectRepair(() => on.tables.holdings.put(holdingId(NOTHING, on.hash), { size: 1, images: 3 }), {
      kind: 'holding_stray',
      name,
      what: NOTHING,
      recorded: 3,
      counted: 0,
    });
    expect((await must(on.tables.holdings.get(holdingId(other, on.hash)))).value).toEqual({
      size: on.bytes.length,
      images: 1,
    });
  });

  it('finds who needs a content: too many, too few, nobody at all, and a wrong length', async () => {
    const name = `${PLACE}@${on.hash}`;
    const recorded = async (claims: number) =>
      on.tables.contents.update(on.hash, (content) => content && { ...content, claims });
    await expectRepair(() => recorded(5), {
      kind: 'content_wrong',
      name,
      what: 'claims',
      recorded: 5,
      counted: 2,
    });
    await expectRepair(() => recorded(1), {
      kind: 'content_wrong',
      name,
      what: 'claims',
      recorded: 1,
      counted: 2,
    });
    await expectRepair(() => on.tables.contents.delete(on.hash), {
      kind: 'content_missing',
      name,
      recorded: 0,
      counted: 2,
    });
    await expectRepair(
      () => on.tables.contents.update(on.hash, (content) => content && { ...content, size: 1 }),
      {
        kind: 'content_wrong',
        name,
        what: 'size',
        recorded: 1,
        counted: on.bytes.length,
      },
    );
    const unneeded = `sha256.${'2'.repeat(64)}`;
    await expectRepair(() => on.tables.contents.put(unneeded, { size: 9, claims: 1, state: 'claimed' }), {
      kind: 'content_stray',
      name: unneeded,
      recorded: 1,
      counted: 0,
    });
    expect((await must(on.tables.contents.get(on.hash))).value).toEqual({
      size: on.bytes.length,
      claims: 2,
      state: 'claimed',
    });
  });

  it('finds a blob that nobody needs, once it is old, and removes it', async () => {
    const stray = Buffer.from('nobody needs this');
    const file = fileOf(hashOf(stray));
    const writer = await on.world.app.get(BlobStore).write({ limit: 100 });
    await writer.write([stray]);
    await writer.commit();
    expect((await checked(on.world)).problems).toEqual([]);
    const old = new Date(Date.now() - 2 * 3600 * 1000);
    await utimes(file, old, old);
    const before = await checked(on.world);
    expect(before.bytes.store - before.bytes.documents).toBe(stray.length);
    expect(before.bytes.difference).toBe(stray.length);
    await expectRepair(async () => undefined, {
      kind: 'blob_stray',
      name: hashOf(stray),
      recorded: 0,
      counted: stray.length,
    });
    expect(await on.world.blobs()).not.toContain(hashOf(stray).slice(7));
    expect(await on.tables.contents.get(hashOf(stray))).toBeUndefined();
  });

  describe('a blob that nobody needs, and somebody pushes at the moment of its removal', () => {
    let stray: Buffer;
    beforeEach(async () => {
      stray = await testImage();
      const writer = await on.world.app.get(BlobStore).write({ limit: stray.length });
      await writer.write([stray]);
      await writer.commit();
      const old = new Date(Date.now() - 2 * 3600 * 1000);
      await utimes(fileOf(hashOf(stray)), old, old);
    });
    const push = () => on.world.tester.push('tester/data/late', stray, { tags: ['latest'] });

    it('goes, and the push waits for that and brings it again', async () => {
      const store = on.world.app.get(BlobStore);
      const remove = store.remove.bind(store);
      let pushed: Promise<unknown> | undefined;
      store.remove = async (digest) => {
        store.remove = remove;
        pushed = push();
        // It has claimed nothing yet: it waits.
        await expect.poll(async () => (await on.tables.contents.get(digest))?.value.state).toBe('removing');
        return remove(digest);
      };
      const { problems } = await checked(on.world, { repair: true });
      on.hasRepaired(1);
      expect(problems).toMatchObject([{ kind: 'blob_stray', repaired: true }]);
      await pushed;
      expect((await readFile(fileOf(hashOf(stray)))).equals(stray)).toBe(true);
      await requireNothingWrong(on.world);
    });

    it('stays when the push was faster, be it by a moment', async () => {
      const store = on.world.app.get(BlobStore);
      const sizeOf = store.sizeOf.bind(store);
      let looks = 0;
      store.sizeOf = async (digest) => {
        if (digest === hashOf(stray)) looks += 1;
        if (digest === hashOf(stray) && looks === 2) {
          // The check has seen for the second time that nobody needs it, and is about to say so.
          store.sizeOf = sizeOf;
          await push();
        }
        return sizeOf(digest);
      };
      expect((await checked(on.world, { repair: true })).problems).toEqual([]);
      expect(looks).toBe(2);
      expect((await readFile(fileOf(hashOf(stray)))).equals(stray)).toBe(true);
      await requireNothingWrong(on.world);
    });
  });

  it('finds an image whose bytes are not there; the next push brings them', async () => {
    await rm(fileOf(on.hash));
    for (const repair of [false, true]) {
      const { problems, bytes: sums } = await checked(on.world, { repair });
      expect(problems).toEqual([
        {
          kind: 'blob_missing',
          name: expect.stringContaining(`@${on.hash}`),
          recorded: on.bytes.length,
          counted: 0,
          repaired: false,
        },
      ]);
      expect(sums.difference).toBe(on.bytes.length);
    }
    await on.world.tester.push(PLACE, on.bytes, { tags: ['latest'] });
    await requireNothingWrong(on.world);
  });

  it('finds a blob that was cut; the next push brings all of it', async () => {
    const file = await open(fileOf(on.hash), 'r+');
    await file.truncate(1000);
    await file.close();
    const { problems, bytes: sums } = await checked(on.world);
    expect(problems).toEqual([
      {
        kind: 'blob_wrong_size',
        name: expect.stringContaining(`@${on.hash}`),
        recorded: on.bytes.length,
        counted: 1000,
        repaired: false,
      },
    ]);
    expect(sums.difference).toBe(on.bytes.length - 1000);
    await on.world.tester.push(PLACE, on.bytes, { tags: ['latest'] });
    expect((await readFile(fileOf(on.hash))).equals(on.bytes)).toBe(true);
    await requireNothingWrong(on.world);
  });

  it('finds an upload whose bytes are gone, and bytes and parts of no upload', async () => {
    const { upload, hash: announced } = await begin('tester/data/lost', true);
    const incoming = (id: string): string =>
      join(on.world.app.home, 'data', 'library', 'blobs', 'incoming', `upload-${id}`);
    const stray = 'e'.repeat(24);
    await expectRepair(
      async () => {
        await rm(incoming(upload));
        await on.tables.parts.put(`${NOTHING}/1`, { upload: NOTHING, number: 1, token: 'x', receivedAt: 1 });
        await writeFile(incoming(stray), 'x');
        const old = new Date(Date.now() - 3 * 3600 * 1000);
        await utimes(incoming(stray), old, old);
      },
      {
        kind: 'upload_bytes_missing',
        name: `tester/data/lost@${announced}`,
        what: upload,
        recorded: 1,
        counted: 0,
      },
      { kind: 'part_stray', name: NOTHING, recorded: 1, counted: 0 },
      { kind: 'upload_bytes_stray', name: stray },
    );
    expect(await on.world.temporaries()).not.toContain(`upload-${stray}`);
  });
});
