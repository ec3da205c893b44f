import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { Tables } from '#apps/library/src/check/tables.store';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import type { LibraryProblem } from '#libs/contract';
import type { Stored } from '#libs/documents';
import { waitForEntries } from '../../support/audit.js';
import { mongoDatabase, sqliteDatabase } from '../../support/databases.js';
import { requireRepair } from './checked.js';
import { hashOf, startLibrary, testImage, type World } from './world.js';

/** The container with most in it. */
export const PLACE = 'tester/data/tools';
/** The id of nothing. */
export const NOTHING = '0'.repeat(24);
const DAY = 24 * 60 * 60 * 1000;

/** A library with a little of everything, for damage. The functions may be taken out of it. */
export interface Damaged {
  readonly databaseName: string;
  readonly world: World;
  readonly tables: Tables;
  /** An image of {@link PLACE}: its content, which is also elsewhere in the entity and in another one. */
  readonly bytes: Buffer;
  readonly hash: string;
  readonly image: { readonly id: string; readonly container: string };
  /** Where the bytes of a content lie. */
  readonly fileOf: (digest: string) => string;
  /** Begins a push, or brings its bytes, too. @returns its upload, and what was announced */
  readonly begin: (path: string, isSent?: boolean) => Promise<{ upload: string; hash: string }>;
  /** The id of an entity. */
  readonly entity: (of?: string) => Promise<string>;
  /** Damages, and expects that exactly this is seen, that looking changes nothing, and that a repair ends it. */
  readonly expectRepair: (
    damage: () => Promise<unknown>,
    ...expected: readonly Omit<LibraryProblem, 'repaired'>[]
  ) => Promise<void>;
  /** Says that a test has had something repaired by itself. */
  readonly hasRepaired: (many: number) => void;
}

export async function must<D>(found: Promise<Stored<D> | undefined>): Promise<Stored<D>> {
  const document = await found;
  if (document === undefined) throw new Error('no such document');
  return document;
}

/** Tests over both databases. At the end of each every repair is in the audit trail, with who it was. */
export function describeDamaged(subject: string, tests: (damaged: Damaged) => void): void {
  describe.each([
    { name: 'SQLite', open: sqliteDatabase, part: 3 },
    // The stand-in takes twenty times as long for a request.
    { name: 'MongoDB', open: mongoDatabase, part: 20 },
  ])(`${subject}, on $name`, ({ name, open, part }) => {
    let world: World;
    let tables: Tables;
    let bytes: Buffer;
    let image: { id: string; container: string };
    let hash: string;
    let repairs = 0;
    const begin: Damaged['begin'] = async (path, isSent = false) => {
      const client = path.startsWith('tester') ? world.tester : world.other;
      const file = await testImage();
      const made = await client.image(await client.place(path), hashOf(file));
      const id = made.body.data.id as string;
      const started = await client.send('POST', `/v2/imagefile/${id}`, { filesize: file.length });
      const url = started.body.data.uploadURL as string;
      if (isSent && (await client.put(url, file)).status !== 200) throw new Error('not sent');
      return { upload: /upload\/([0-9a-f]{24})/.exec(url)?.[1] ?? '', hash: hashOf(file) };
    };
    beforeAll(async () => {
      // What is damaged by hand stays so: the sweep would put some of it right, once a minute.
      const limits = { checkedPart: part, checkedImages: part, sweepInterval: DAY };
      world = await startLibrary({ open, limits });
      tables = new Tables(world.app.get<Database>(DATABASE));
      bytes = await testImage();
      hash = hashOf(bytes);
      image = await world.tester.push(PLACE, bytes, { tags: ['latest', '1.0'] });
      // The same content elsewhere in the entity, in another one, and others beside it.
      await world.tester.push('tester/data/copy', bytes);
      await world.other.push('other/data/copy', bytes);
      for (let n = 0; n < 4; n += 1) await world.tester.push(PLACE, await testImage(), { tags: [`n${n}`] });
      await world.tester.place('tester/empty/nothing');
      // A push that has begun, and one of which the bytes have arrived.
      await begin('tester/data/begun');
      await begin('other/data/begun', true);
    });
    afterAll(async () => {
      const token = world.admin.token ?? '';
      const query = 'action=library.repair&outcome=done';
      const entries = await waitForEntries(world.app, token, query, repairs);
      expect(entries.map(({ actor }) => actor?.username)).not.toContain(undefined);
      await world.stop();
    });

    /** A content is called by one of its images. */
    const nameOf = (called: string): string => (called.endsWith(`@${hash}`) ? hash : called);

    tests({
      databaseName: name,
      get world() {
        return world;
      },
      get tables() {
        return tables;
      },
      get bytes() {
        return bytes;
      },
      get hash() {
        return hash;
      },
      get image() {
        return image;
      },
      fileOf: (digest) =>
        join(world.app.home, 'data', 'library', 'blobs', 'sha256', digest.slice(7, 9), digest.slice(7)),
      begin,
      entity: async (of = 'tester') => (await must(tables.names.get(of))).value.target,
      expectRepair: async (damage, ...expected) => {
        await damage();
        repairs += expected.length;
        await requireRepair(world, expected, nameOf);
      },
      hasRepaired: (many) => void (repairs += many),
    });
  });
}
