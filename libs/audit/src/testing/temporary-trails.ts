import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { type Documents, openDocuments, TEMPORARY_DATABASE } from '#libs/documents';
import { TrailWorld } from './trail-world.js';

/** For the tests of a file or a block: an empty trail for each, in one database that is gone with them. @param take is given it before each test */
export function temporaryTrails(take: (world: TrailWorld) => void): void {
  let documents: Documents;
  let world: TrailWorld;
  beforeAll(async () => {
    documents = await openDocuments(TEMPORARY_DATABASE, { service: 'library' });
  });
  afterAll(() => documents.close());
  beforeEach(async () => {
    world = await TrailWorld.make(documents);
    take(world);
  });
  afterEach(() => world.close());
}
