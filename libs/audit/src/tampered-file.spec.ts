import Database from 'better-sqlite3';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDocuments } from '#libs/documents';
import { tagSet, TrailWorld } from './testing/trail-world.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scs-tampered-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Opens the trail in `folder`, and closes it again. */
async function withTrail<T>(work: (world: TrailWorld) => Promise<T>): Promise<T> {
  const documents = await openDocuments(`sqlite:${folder}`, { service: 'library' });
  const world = await TrailWorld.open(documents);
  try {
    return await work(world);
  } finally {
    await world.close();
    await documents.close();
  }
}

/** What somebody does who has the file and no respect for the port. */
function tamper(work: (database: Database.Database) => void): void {
  const database = new Database(join(folder, 'library.sqlite'));
  work(database);
  database.close();
}

it('documents in the inbox that are no entries keep nobody from being chained, and are told of once', async () => {
  await withTrail(async ({ trail }) => trail.record(tagSet(1)));
  tamper((database) => {
    const strange = database.prepare(
      `INSERT INTO "auditInbox" (id, revision, value, "k_time") VALUES (?, 1, ?, '2000-01-01T00:00:00.000Z')`,
    );
    for (let n = 0; n < 300; n += 1)
      strange.run(`strange${n}`, JSON.stringify({ time: '2000-01-01T00:00:00.000Z', password: 'hunter2' }));
  });
  await withTrail(async (world) => {
    await world.chainer.settle();
    await world.trail.record(tagSet(2));
    await world.chainer.settle();
    const { entries } = await world.reader.chain(0, 10);
    expect(entries.map(({ subject }) => subject.name)).toEqual(['ann/tools/blast:v1', 'ann/tools/blast:v2']);
    expect(JSON.stringify(entries)).not.toContain('hunter2');
    expect(world.warnings).toHaveLength(300);
    expect(world.warnings[0]).toContain('is no entry and stays there: strange');
    expect((await world.inbox.scan('byTime', { limit: 1000 })).items).toHaveLength(300);
  });
});

it.each([
  ['without its number', `json_remove(value, '$.sequence')`, 'NULL'],
  ['with text for a number', `json_set(value, '$.sequence', '2')`, `'2'`],
])('an entry %s is missed and not misread', async (_, value, column) => {
  await withTrail((world) => world.happen(3));
  tamper((database) =>
    database.exec(`UPDATE audit SET value = ${value}, k_sequence = ${column} WHERE k_sequence = 2`),
  );
  await withTrail(async (world) => {
    expect((await world.verify()).problems).toMatchObject([{ kind: 'missing', sequence: 2 }]);
  });
});
