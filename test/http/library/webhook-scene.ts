import { createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest';
import type { Delivery, LibraryEvent, Webhook } from '#libs/contract';
import { ManualClock } from '#libs/core';
import { DATABASES, type StartedDatabase } from '../../support/databases.js';
import { TestAuthority } from '../../support/tokens.js';
import { type Received, Receiver } from '../../support/webhook-receiver.js';
import { startLibrary, type StockClient, type World, type WorldOptions } from './world.js';

/** Quick where nothing but time would pass. */
export const QUICK = { eventsBusy: 20, webhookPoll: 20, deliveryTimeout: 3000 } as const;
export const SECOND = 1000;

/** A webhook as it is shown when it is made: the only time with its secret. */
export type Made = Webhook & { readonly secret: string };

/** Expects that a request was signed with a secret, at a time. */
export function requireSigned({ headers, body }: Received, secret: string, at: Date): void {
  const [, seconds = '', mac = ''] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['scs-signature'])) ?? [];
  expect(Number(seconds)).toBe(Math.floor(at.getTime() / 1000));
  expect(mac).toBe(createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'));
}
export const eventIn = ({ body }: Received): LibraryEvent => JSON.parse(body) as LibraryEvent;
/** The id of the delivery that a request is an attempt of. */
export const deliveryIn = ({ headers }: Received): string => String(headers['scs-delivery']);

/** Settings with which a receiver of this machine is reached. */
export const reaching = ({ caFile }: Receiver): Record<string, string> => ({
  // localhost may lead to ::1 first, where nobody listens: what is not named is not tried.
  SCS_WEBHOOK_NETWORKS: '127.0.0.1',
  SCS_WEBHOOK_CA_FILE: caFile,
});

/** A new webhook of an entity, which is made where it is missing. @param more of the request */
export async function create(
  client: StockClient,
  entity: string,
  url: string,
  more: object = {},
): Promise<Made> {
  await client.entity(entity);
  const { status, body } = await client.send('POST', `/v1/manage/webhooks/${entity}`, { url, ...more });
  expect([status, body.error]).toEqual([200, undefined]);
  return body.data as Made;
}
/** The deliveries of a webhook, newest first. */
export async function deliveriesOf(client: StockClient, entity: string, id: string): Promise<Delivery[]> {
  const { status, body } = await client.get(`/v1/manage/webhooks/${entity}/${id}/deliveries?limit=500`);
  expect(status).toBe(200);
  return body.data as Delivery[];
}
/** Waits until the delivery of an id says something. */
export async function untilDelivery(
  client: StockClient,
  entity: string,
  hook: string,
  delivery: string,
  like: Partial<Delivery>,
): Promise<Delivery> {
  const find = async () => (await deliveriesOf(client, entity, hook)).find(({ id }) => id === delivery);
  await expect.poll(find, { timeout: 15_000 }).toMatchObject(like);
  const found = await find();
  if (found === undefined) throw new Error('The delivery is gone');
  return found;
}

/** A library with a receiver for its webhooks. The functions may be taken out of it. */
export interface Hooked {
  readonly databaseName: string;
  readonly database: StartedDatabase;
  readonly world: World;
  readonly authority: TestAuthority;
  readonly clock: ManualClock;
  /** One of this test, which takes everything: what webhooks of other tests are still sent goes elsewhere. */
  readonly receiver: Receiver;
  /** An entity of its own, with its owner. */
  readonly newEntity: () => Promise<{ entity: string; owner: StockClient }>;
  /** The same, with a webhook to the receiver that has had the news of before. */
  readonly newHook: (
    more?: object,
  ) => Promise<{ entity: string; owner: StockClient; hook: Made; path: string }>;
  readonly ping: (owner: StockClient, path: string) => Promise<Delivery>;
  /** Moves the clock when the last attempt is written down, to when the next one is due. */
  readonly untilNext: (owner: StockClient, path: string, milliseconds: number) => Promise<void>;
}

/** Tests over both databases. */
export function describeHooked(subject: string, tests: (hooked: Hooked) => void): void {
  describe.each(DATABASES)(`${subject} over $name`, ({ name, open }) => {
    let trusted: Receiver;
    let receiver: Receiver;
    let database: StartedDatabase;
    let authority: TestAuthority;
    let world: World;
    let clock: ManualClock;
    let entities = 0;
    beforeAll(async () => {
      trusted = await Receiver.start();
      database = await open();
      authority = await TestAuthority.make();
      clock = new ManualClock(new Date().toISOString());
      world = await startLibrary({
        open: async () => database,
        authority,
        clock,
        limits: QUICK,
        env: reaching(trusted),
      });
    });
    afterAll(async () => {
      await world.stop();
      await trusted.stop();
    });
    beforeEach(async () => {
      receiver = await trusted.another();
    });
    afterEach(() => receiver.stop());

    const newEntity = async (): Promise<{ entity: string; owner: StockClient }> => {
      const entity = `owner${(entities += 1)}`;
      const exp = Math.floor(clock.now().getTime() / 1000) + 30 * 24 * 3600;
      const owner = world.client(await authority.token({ username: entity, claims: { exp } }));
      await owner.entity(entity);
      // What happened before there was a webhook is no news for it.
      clock.advance(SECOND);
      return { entity, owner };
    };
    tests({
      databaseName: name,
      get database() {
        return database;
      },
      get world() {
        return world;
      },
      get authority() {
        return authority;
      },
      get clock() {
        return clock;
      },
      get receiver() {
        return receiver;
      },
      newEntity,
      newHook: async (more = {}) => {
        const { entity, owner } = await newEntity();
        const hook = await create(owner, entity, receiver.url, more);
        return { entity, owner, hook, path: `/v1/manage/webhooks/${entity}/${hook.id}` };
      },
      untilNext: async (owner, path, milliseconds) => {
        const next = async (): Promise<number> =>
          Date.parse(String((await owner.get(path)).body.data.nextDeliveryAt));
        await expect.poll(next).toBeGreaterThan(clock.now().getTime());
        clock.advance(milliseconds);
      },
      ping: async (owner, path) => {
        const { status, body } = await owner.send('POST', `${path}/ping`);
        expect(status).toBe(200);
        return body.data as Delivery;
      },
    });
  });
}

/** What a test has that starts its libraries itself. The functions may be taken out of it. */
export interface OwnLibraries {
  readonly receiver: Receiver;
  /** One that reaches the receiver, unless said otherwise. It is stopped after the test at the latest. */
  readonly start: (options?: WorldOptions) => Promise<World>;
  readonly stop: (world: World) => Promise<void>;
  /** Stops all, the last one first. */
  readonly stopAll: () => Promise<void>;
}

/** To be called in a block of tests: a receiver for each test, and libraries of its own. */
export function useOwnLibraries(): OwnLibraries {
  let receiver: Receiver;
  const worlds: World[] = [];
  const stopAll = async (): Promise<void> => {
    for (const world of worlds.splice(0).toReversed()) await world.stop();
  };
  beforeEach(async () => {
    receiver = await Receiver.start();
  });
  afterEach(async () => {
    await stopAll();
    await receiver.stop();
  });
  return {
    get receiver() {
      return receiver;
    },
    start: async (options = {}) => {
      const world = await startLibrary({ limits: QUICK, env: reaching(receiver), ...options });
      worlds.push(world);
      return world;
    },
    stop: async (world) => {
      worlds.splice(worlds.indexOf(world), 1);
      await world.stop();
    },
    stopAll,
  };
}
