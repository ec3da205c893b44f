import { afterAll, beforeAll, describe, expect, vi } from 'vitest';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import type { SignaturesAnswer } from '#libs/contract';
import type { AppAnswer } from '../../support/app.js';
import { DATABASES } from '../../support/databases.js';
import { addKey, newTestKey, type TestKey } from '../../support/pgp-keys.js';
import { requireNothingWrong } from './checked.js';
import { startLibrary, type StockClient, type World, type WorldOptions } from './world.js';

export const WAIT = { interval: 20, timeout: 10_000 };
/** Quick where nothing but time would pass. */
export const LIMITS = { keyChangesInterval: 50, keystoreRetry: 50, keystoreRetryLongest: 100 };

/** What is known of who has signed an image. */
export type Signatures = SignaturesAnswer['data'];

/** A library and a keystore in one process. */
export const bothServices = (more: WorldOptions = {}): Promise<World> =>
  startLibrary({
    ...more,
    modules: [KeystoreModule],
    limits: LIMITS,
    env: { SCS_SERVICES: 'library,keystore', ...more.env },
  });

/** A library with a keystore that has the keys of two. The functions may be taken out of it. */
export interface Signed {
  readonly world: World;
  readonly ann: TestKey;
  readonly bob: TestKey;
  /** The token of an administrator. */
  readonly admin: string;
  /** Brings a key, or what is new about it, to the keystore. */
  readonly publish: (armored: string) => Promise<void>;
  /** A container that nobody has used, which is not made. */
  readonly newPlace: () => string;
  readonly signaturesOf: (path: string, ref: string, client?: StockClient) => Promise<AppAnswer>;
  /** When they have been looked at, and nothing is in doubt. */
  readonly looked: (path: string, ref: string, expected?: object) => Promise<Signatures>;
}

/** Tests over both databases. At the end of each a check finds nothing wrong. */
export function describeSigned(subject: string, tests: (signed: Signed) => void): void {
  describe.each(DATABASES)(`${subject} over $name`, ({ open }) => {
    let world: World;
    let ann: TestKey;
    let bob: TestKey;
    let admin: string;
    let places = 0;
    const publish = async (armored: string): Promise<void> => {
      const { status } = await addKey(world.app, armored, world.tester.token ?? '');
      expect(status).toBe(200);
    };
    const signaturesOf = (path: string, ref: string, client = world.tester): Promise<AppAnswer> =>
      client.get(`/v1/manage/signatures/${path}/${ref}`);
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

    tests({
      get world() {
        return world;
      },
      get ann() {
        return ann;
      },
      get bob() {
        return bob;
      },
      get admin() {
        return admin;
      },
      publish,
      newPlace: () => `tester/place${(places += 1)}/image`,
      signaturesOf,
      looked: (path, ref, expected = {}) =>
        vi.waitFor(async () => {
          const { status, body } = await signaturesOf(path, ref);
          expect(status).toBe(200);
          expect(body.data).toMatchObject({ due: false, checkedAt: expect.any(String), ...expected });
          return (body as SignaturesAnswer).data;
        }, WAIT),
    });
  });
}
