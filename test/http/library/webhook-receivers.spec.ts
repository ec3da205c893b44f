import { cp, rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '#apps/library/src/limits';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { DeliveriesStore } from '#apps/library/src/webhooks/deliveries.store';
import type { Delivery } from '#libs/contract';
import { ManualClock } from '#libs/core';
import { sqliteDatabase } from '../../support/databases.js';
import { openEvents } from '../../support/event-stream.js';
import { askMetrics, Numbers, undocumented, withMetrics } from '../../support/metrics.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { answering, type Received, Receiver } from '../../support/webhook-receiver.js';
import {
  create,
  deliveriesOf,
  deliveryIn,
  useOwnLibraries,
  eventIn,
  type Made,
  QUICK,
  requireSigned,
  SECOND,
  untilDelivery,
} from './webhook-scene.js';
import { type StockClient, testImage, type World } from './world.js';

const DAY = 24 * 60 * 60 * SECOND;

describe('webhooks reach receivers', () => {
  const own = useOwnLibraries();

  const { start, stop } = own;

  /** The first delivery of a webhook, when it was tried. */
  const logOf = async (world: World, hook: Made): Promise<Delivery> => {
    const found = async () => (await deliveriesOf(world.tester, 'tester', hook.id))[0];
    await expect.poll(async () => (await found())?.attempts).toBeGreaterThan(0);
    const one = await found();
    if (one === undefined) throw new Error('There is no delivery');
    return one;
  };

  it('reach nobody inside, also where a name leads there', async () => {
    const world = await start({ env: { SCS_WEBHOOK_CA_FILE: own.receiver.caFile } });
    const hook = await create(world.tester, 'tester', own.receiver.url);
    await world.tester.send('POST', `/v1/manage/webhooks/tester/${hook.id}/ping`);
    expect((await logOf(world, hook)).log).toMatchObject([{ status: null, error: 'address_refused' }]);
    expect(own.receiver.connections).toBe(0);
    // What leads nowhere is answered alike: an owner does not learn which names there are inside.
    const nowhere = await create(world.tester, 'tester', 'https://nobody.invalid/hook');
    await world.tester.send('POST', `/v1/manage/webhooks/tester/${nowhere.id}/ping`);
    expect((await logOf(world, nowhere)).log).toMatchObject([{ status: null, error: 'address_refused' }]);
  });

  it('reach others while more of them hang, for as long as they like, than there are places for', async () => {
    const clock = new ManualClock(new Date().toISOString());
    const limits = {
      ...QUICK,
      deliveryTimeout: 10 * 60 * SECOND,
      deliveriesAtOnce: 4,
      deliveriesToFailing: 2,
    };
    const world = await start({ clock, limits });
    const hung: Made[] = [];
    for (let one = 0; one < 6; one += 1) hung.push(await create(world.tester, 'tester', own.receiver.url));
    const good = await create(world.other, 'other', own.receiver.url, { kinds: ['tag.set'] });
    const isHung = ({ headers }: Received): boolean => hung.some(({ id }) => id === headers['scs-webhook']);
    const ping = (client: StockClient, entity: string, { id }: Made) =>
      client.send('POST', `/v1/manage/webhooks/${entity}/${id}/ping`);
    // They fail at first, and hang ever after.
    own.receiver.usual = answering(500);
    for (const hook of hung) await ping(world.tester, 'tester', hook);
    const nextOf = async ({ id }: Made): Promise<number> => {
      const { body } = await world.tester.get(`/v1/manage/webhooks/tester/${id}`);
      return Date.parse(String(body.data.nextDeliveryAt));
    };
    for (const hook of hung) await expect.poll(() => nextOf(hook)).toBeGreaterThan(clock.now().getTime());
    const before = own.receiver.received.length;
    own.receiver.usual = (response, received) =>
      isHung(received) ? undefined : void response.writeHead(204).end();
    clock.advance(10 * SECOND);
    await own.receiver.count(before + 2);
    await ping(world.other, 'other', good);
    await own.receiver.count(before + 3);
    expect(own.receiver.received.slice(before).map(isHung)).toEqual([true, true, false]);
  });

  it('trust no receiver that nobody vouches for', async () => {
    const world = await start({ env: { SCS_WEBHOOK_NETWORKS: '127.0.0.1' } });
    const hook = await create(world.tester, 'tester', own.receiver.url);
    await world.tester.send('POST', `/v1/manage/webhooks/tester/${hook.id}/ping`);
    expect((await logOf(world, hook)).log).toMatchObject([{ status: null, error: 'certificate_refused' }]);
    expect(own.receiver.received).toEqual([]);
  });

  it('are sent by plain HTTP to this machine where the operator has named it', async () => {
    const plain = await Receiver.start({ plain: true });
    try {
      const world = await start({ env: { SCS_WEBHOOK_NETWORKS: '127.0.0.0/8' } });
      const hook = await create(world.tester, 'tester', plain.url);
      await world.tester.send('POST', `/v1/manage/webhooks/tester/${hook.id}/ping`);
      expect(eventIn(await plain.count(1)).kind).toBe('ping');
    } finally {
      await plain.stop();
    }
  });

  it('get again, with the same id, what was sent when the process was killed', async () => {
    const authority = await TestAuthority.make();
    const folder = await temporaryFolder();
    try {
      const limits = { ...QUICK, deliveryTimeout: 10 * SECOND };
      const world = await start({ authority, limits });
      const hook = await create(world.tester, 'tester', own.receiver.url, { kinds: ['image.push'] });
      await rm(folder.path, { recursive: true });
      // The receiver has it, and nobody has written that down: what is in the files now is what kill -9 leaves.
      own.receiver.script.push(async (response) => {
        await cp(world.app.home, folder.path, {
          recursive: true,
          filter: (path) => !path.endsWith('.lock'),
        });
        response.writeHead(204).end();
      });
      await world.tester.push('tester/tools/app', await testImage());
      const first = await own.receiver.count(1);
      await untilDelivery(world.tester, 'tester', hook.id, deliveryIn(first), { state: 'delivered' });
      const next = await start({ authority, home: folder.path });
      const second = await own.receiver.count(2);
      expect(deliveryIn(second)).toBe(deliveryIn(first));
      expect(second.body).toBe(first.body);
      requireSigned(
        second,
        hook.secret,
        new Date(Number(/t=(\d+)/.exec(String(second.headers['scs-signature']))?.[1]) * 1000),
      );
      await untilDelivery(next.tester, 'tester', hook.id, deliveryIn(first), {
        state: 'delivered',
        attempts: 1,
      });
    } finally {
      await own.stopAll();
      await folder.remove();
    }
  });

  it('get what was waiting after a restart, also where nobody had said that it is due', async () => {
    const authority = await TestAuthority.make();
    const folder = await temporaryFolder();
    try {
      own.receiver.usual = answering(500);
      const world = await start({ authority, home: folder.path });
      const hook = await create(world.tester, 'tester', own.receiver.url, { kinds: ['image.push'] });
      // Killed between the commit of a delivery and the note that its webhook is due.
      const { write } = world.app.get(DeliveriesStore).creation(
        hook.id,
        {
          id: 'e'.repeat(24),
          kind: 'image.push',
          time: new Date().toISOString(),
          place: 'tester/tools/app',
        },
        { now: new Date(), until: Date.now() + DAY },
      );
      const database: Database = world.app.get(DATABASE);
      expect(await database.commit([write])).toEqual({ ok: true });
      await stop(world);
      expect(own.receiver.received).toEqual([]);
      own.receiver.usual = answering(200);
      await start({ authority, home: folder.path });
      expect(eventIn(await own.receiver.count(1)).id).toBe('e'.repeat(24));
    } finally {
      await own.stopAll();
      await folder.remove();
    }
  });

  it('are counted, by what came of them', async () => {
    const world = await start({
      open: () => withMetrics(sqliteDatabase),
      limits: { ...QUICK, deliveryEnd: 0 },
    });
    const hook = await create(world.tester, 'tester', own.receiver.url, { kinds: ['tag.set'] });
    const ping = () => world.tester.send('POST', `/v1/manage/webhooks/tester/${hook.id}/ping`);
    const outcome = async (name: string) =>
      (await Numbers.of(world.app)).get(`scs_library_deliveries_total{outcome="${name}"}`);
    await ping();
    await expect.poll(() => outcome('delivered')).toBe(1);
    own.receiver.usual = answering(500);
    await ping();
    await expect.poll(() => outcome('given_up')).toBe(1);
    expect(await outcome('retried')).toBe(0);
    const stream = await openEvents(world.app, '/v1/events');
    const numbers = await Numbers.of(world.app);
    expect(numbers.get('scs_library_event_streams')).toBe(1);
    // Looked up seldom: what it was a moment ago.
    expect([0, 1]).toContain(numbers.get('scs_library_deliveries_waiting'));
    expect(await world.app.get(DeliveriesStore).countWaiting(10)).toBe(0);
    expect(numbers.get('scs_library_events_total{kind="entity.create"}')).toBe(1);
    stream.close();
    expect(undocumented((await askMetrics(world.app)).text)).toEqual([]);
    for (const label of numbers.labels) expect(label).not.toMatch(/tester|localhost|[0-9a-f]{16}/i);
  });

  it('do not fill the disk where the receiver is dead: the oldest are given up', async () => {
    const clock = new ManualClock(new Date().toISOString());
    const world = await start({ clock, limits: { ...QUICK, deliveriesWaiting: 3 } });
    own.receiver.usual = answering(500);
    const hook = await create(world.tester, 'tester', own.receiver.url, { kinds: ['tag.set'] });
    const path = `/v1/manage/webhooks/tester/${hook.id}`;
    const made: string[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      made.push((await world.tester.send('POST', `${path}/ping`)).body.data.id as string);
      clock.advance(SECOND);
    }
    const states = async () =>
      new Map((await deliveriesOf(world.tester, 'tester', hook.id)).map(({ id, state }) => [id, state]));
    expect([...(await states()).values()]).not.toContain('given_up');
    clock.advance(LIMITS.deliveriesWaitingFree + SECOND);
    const count = async (state: string) =>
      [...(await states()).values()].filter((one) => one === state).length;
    await expect.poll(() => count('given_up')).toBe(3);
    expect(await count('waiting')).toBe(3);
  });
});
