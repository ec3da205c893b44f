import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { LIMITS } from '#apps/library/src/limits';
import { Reachable } from '#apps/library/src/webhooks/addresses';
import { DeliveriesService } from '#apps/library/src/webhooks/deliveries.service';
import { DeliveriesStore } from '#apps/library/src/webhooks/deliveries.store';
import type { Delivery, LibraryEvent } from '#libs/contract';
import { newObjectId } from '#libs/core';
import { answering, Receiver } from '../../support/webhook-receiver.js';
import { startLibrary, type World } from './world.js';

/** Deliveries that may wait for one. */
const MOST = 10;

describe('a webhook', () => {
  let receiver: Receiver;
  let world: World;
  beforeAll(async () => {
    receiver = await Receiver.start();
    world = await startLibrary({
      limits: { eventsBusy: 20, webhookPoll: 20, deliveriesWaiting: MOST },
      env: { SCS_WEBHOOK_NETWORKS: '127.0.0.1', SCS_WEBHOOK_CA_FILE: receiver.caFile },
    });
  });
  afterAll(async () => {
    await world.stop();
    await receiver.stop();
  });

  it('hears of what happens right when it is found that nothing waits for it', async () => {
    const { app, tester } = world;
    await tester.place('tester/tools/image');
    const hooks = '/v1/manage/webhooks/tester';
    const kinds = ['container.change'];
    const { body } = await tester.send('POST', hooks, { url: receiver.url, kinds });
    const deliveries = app.get(DeliveriesStore);
    const next = deliveries.next.bind(deliveries);
    const delivering = app.get(DeliveriesService);
    const makeDue = delivering.makeDue.bind(delivering);
    let noted: () => void = () => undefined;
    const due = new Promise<void>((resolve) => (noted = resolve));
    let nothing = 0;
    const looks = vi.spyOn(deliveries, 'next').mockImplementation(async (webhook) => {
      const found = await next(webhook);
      // First its turn ends, then that is written down.
      if (found !== undefined || (nothing += 1) !== 2) return found;
      vi.spyOn(delivering, 'makeDue').mockImplementation(async (...args) => {
        await makeDue(...args);
        noted();
      });
      await tester.send('PATCH', '/v1/manage/containers/tester/tools/image', { description: 'new' });
      await due;
      return found;
    });
    expect((await tester.send('POST', `${hooks}/${body.data.id}/ping`)).status).toBe(200);
    const { body: heard } = await receiver.count(2);
    looks.mockRestore();
    expect((JSON.parse(heard) as LibraryEvent).kind).toBe('container.change');
  });

  it('does not tell by the time that it takes whether there is a name inside', async () => {
    const { app, other } = world;
    await other.entity('other');
    const lookUp = vi.spyOn(app.get(Reachable), 'addressOf').mockImplementation(async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return undefined;
    });
    const hooks = '/v1/manage/webhooks/other';
    const { body } = await other.send('POST', hooks, { url: 'https://intranet.example/hook' });
    const one = `${hooks}/${body.data.id}`;
    expect((await other.send('POST', `${one}/ping`)).status).toBe(200);
    const logs = async (): Promise<unknown> =>
      ((await other.get(`${one}/deliveries`)).body.data as Delivery[]).flatMap(({ log }) => log);
    await expect.poll(logs, { timeout: 10_000 }).toMatchObject([{ error: 'address_refused', duration: 0 }]);
    lookUp.mockRestore();
  });

  it('that fails has no more waiting than it may, however many there were', async () => {
    const { app, tester } = world;
    await tester.entity('tester');
    const hooks = '/v1/manage/webhooks/tester';
    const { body } = await tester.send('POST', hooks, { url: receiver.url, kinds: ['entity.delete'] });
    const hook = body.data.id as string;
    const deliveries = app.get(DeliveriesStore);
    const long = Date.now() - 2 * LIMITS.deliveriesWaitingFree;
    const event = {
      kind: 'ping',
      time: new Date(long).toISOString(),
      place: 'tester',
      by: 'tester',
    } as const;
    // More than are looked at at once. Each is given up by itself, which takes its time on a slow disk.
    for (let part = 0; part < 2; part += 1)
      await app.get<Database>(DATABASE).commit(
        Array.from({ length: 400 }, (_, index) => {
          const now = new Date(long + part * 400 + index);
          const times = { now, until: long + LIMITS.deliveryEnd };
          return deliveries.creation(hook, { ...event, id: newObjectId() }, times).write;
        }),
      );
    receiver.usual = answering(500);
    expect((await tester.send('POST', `${hooks}/${hook}/ping`)).status).toBe(200);
    const beyond = async () => (await deliveries.beyond(hook, MOST)).length;
    await expect.poll(beyond, { timeout: 25_000 }).toBe(0);
    receiver.usual = answering(204);
  });
});
