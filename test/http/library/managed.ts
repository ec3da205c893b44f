import { afterAll, beforeAll, describe, expect } from 'vitest';
import { ManualClock } from '#libs/core';
import type { AppAnswer } from '../../support/app.js';
import { DATABASES } from '../../support/databases.js';
import { requireNothingWrong } from './checked.js';
import { startLibrary, type StockClient, type World, type WorldOptions } from './world.js';

/** A library that is managed. The functions may be taken out of it. */
export interface Managed {
  readonly world: World;
  readonly clock: ManualClock;
  /** Whether commits are: the stand-in for MongoDB knows no transactions. */
  readonly atomic: boolean;
  /** A collection of its own with some containers. @returns `entity/collection` */
  readonly newCollection: (...containers: readonly string[]) => Promise<string>;
  /** `PATCH`, as the owner unless said otherwise. */
  readonly change: (path: string, body: object, client?: StockClient) => Promise<AppAnswer>;
  readonly remove: (path: string, client?: StockClient) => Promise<AppAnswer>;
  readonly statusOf: (answer: Promise<{ status: number }>) => Promise<number>;
  /** A member of the organisation `guild`. */
  readonly member: (role: 'owner' | 'writer' | 'reader') => Promise<StockClient>;
}

/** Tests over both databases. At the end of each a check finds nothing wrong. */
export function describeManaged(
  subject: string,
  tests: (managed: Managed) => void,
  options: Pick<WorldOptions, 'limits' | 'env'> = {},
): void {
  describe.each(DATABASES)(`${subject} over $name`, ({ name, open }) => {
    let world: World;
    let clock: ManualClock;
    let places = 0;
    beforeAll(async () => {
      clock = new ManualClock(new Date().toISOString());
      world = await startLibrary({ ...options, open, clock });
    });
    afterAll(async () => {
      await requireNothingWrong(world);
      await world.stop();
    });

    tests({
      get world() {
        return world;
      },
      get clock() {
        return clock;
      },
      atomic: name === 'SQLite' || process.env['SCS_TEST_MONGO_URL'] !== undefined,
      newCollection: async (...containers) => {
        const path = `tester/place${(places += 1)}`;
        for (const container of containers) await world.tester.place(`${path}/${container}`);
        return path;
      },
      change: (path, body, client = world.tester) => client.send('PATCH', `/v1/manage/${path}`, body),
      remove: (path, client = world.tester) => client.send('DELETE', `/v1/manage/${path}`),
      statusOf: async (answer) => (await answer).status,
      member: async (role) =>
        world.client(await world.authority.token({ username: `${role}1`, organisations: { guild: role } })),
    });
  });
}

/** The names of a list, page by page. */
export async function namesIn(client: StockClient, path: string, limit = 500): Promise<string[]> {
  const names: string[] = [];
  let cursor: string | undefined;
  do {
    const place = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { status, body } = await client.get(`/v1/manage/${path}?limit=${limit}${place}`);
    expect(status).toBe(200);
    const { data, page } = body as { data: { name: string }[]; page?: { next: string } };
    expect(data.length).toBeLessThanOrEqual(limit);
    names.push(...data.map(({ name }) => name));
    cursor = page?.next;
  } while (cursor !== undefined);
  return names;
}
