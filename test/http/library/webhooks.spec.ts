import { createHmac } from 'node:crypto';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { LIMITS } from '#apps/library/src/limits';
import { DeliveriesStore } from '#apps/library/src/webhooks/deliveries.store';
import type { Delivery, LibraryEvent, Webhook } from '#libs/contract';
import { ManualClock } from '#libs/core';
import { waitForEntries } from '../../support/audit.js';
import { mongoDatabase, sqliteDatabase, type TestDatabase } from '../../support/databases.js';
import { openEvents } from '../../support/event-stream.js';
import { askMetrics, Numbers, undocumented, withMetrics } from '../../support/metrics.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { answering, hanging, type Received, Receiver } from '../../support/webhook-receiver.js';
import { startLibrary, type StockClient, testImage, type World } from './world.js';

/** Quick where nothing but time would pass. */
const QUICK = { eventsBusy: 20, webhookPoll: 20, deliveryTimeout: 3000 } as const;
const SECOND = 1000;
const DAY = 24 * 60 * 60 * SECOND;

type Made = Webhook & { readonly secret: string };

/** Whether a request was signed with a secret, at a time. */
function requireSigned({ headers, body }: Received, secret: string, at: Date): void {
  const [, seconds = '', mac = ''] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['scs-signature'])) ?? [];
  expect(Number(seconds)).toBe(Math.floor(at.getTime() / 1000));
  expect(mac).toBe(createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'));
}
const eventIn = ({ body }: Received): LibraryEvent => JSON.parse(body) as LibraryEvent;
const deliveryIn = ({ headers }: Received): string => String(headers['scs-delivery']);

/** Settings with which a receiver of this machine is reached. */
const reaching = ({ caFile }: Receiver): Record<string, string> => ({
  // localhost may lead to ::1 first, where nobody listens: what is not named is not tried.
  SCS_WEBHOOK_NETWORKS: '127.0.0.1',
  SCS_WEBHOOK_CA_FILE: caFile,
});

async function create(client: StockClient, entity: string, url: string, more: object = {}): Promise<Made> {
  await client.entity(entity);
  const { status, body } = await client.send('POST', `/v1/manage/webhooks/${entity}`, { url, ...more });
  expect([status, body.error]).toEqual([200, undefined]);
  return body.data as Made;
}
async function deliveriesOf(client: StockClient, entity: string, id: string): Promise<Delivery[]> {
  const { status, body } = await client.get(`/v1/manage/webhooks/${entity}/${id}/deliveries?limit=500`);
  expect(status).toBe(200);
  return body.data as Delivery[];
}
/** Waits until the delivery of an id says something. */
async function untilDelivery(
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

describe.each([
  { name: 'SQLite', open: sqliteDatabase },
  { name: 'MongoDB', open: mongoDatabase },
])('webhooks over $name', ({ name, open }) => {
  let receiver: Receiver;
  let database: TestDatabase;
  let authority: TestAuthority;
  let world: World;
  let clock: ManualClock;
  let entities = 0;
  const start = (): Promise<World> =>
    startLibrary({
      open: async () => ({ env: database.env, stop: async () => undefined }),
      authority,
      clock,
      limits: QUICK,
      env: reaching(receiver),
    });
  beforeAll(async () => {
    receiver = await Receiver.start();
    database = await open();
    authority = await TestAuthority.make();
    clock = new ManualClock(new Date().toISOString());
    world = await start();
  });
  afterAll(async () => {
    await world.stop();
    await database.stop();
    await receiver.stop();
  });
  beforeEach(() => {
    receiver.received.length = 0;
    receiver.script.length = 0;
    receiver.usual = answering(204);
  });

  /** An entity of its own, with its owner. */
  const newEntity = async (): Promise<{ entity: string; owner: StockClient }> => {
    const entity = `owner${(entities += 1)}`;
    const exp = Math.floor(clock.now().getTime() / 1000) + 30 * 24 * 3600;
    const owner = world.client(await authority.token({ username: entity, claims: { exp } }));
    await owner.entity(entity);
    // What happened before there was a webhook is no news for it.
    clock.advance(SECOND);
    return { entity, owner };
  };
  /** The same, with a webhook to the receiver that has had the news of before. */
  const newHook = async (more: object = {}) => {
    const { entity, owner } = await newEntity();
    const hook = await create(owner, entity, receiver.url, more);
    return { entity, owner, hook, path: `/v1/manage/webhooks/${entity}/${hook.id}` };
  };
  /** Moves the clock when the last attempt is written down, to when the next one is due. */
  const untilNext = async (owner: StockClient, path: string, milliseconds: number): Promise<void> => {
    const next = async (): Promise<number> =>
      Date.parse(String((await owner.get(path)).body.data.nextDeliveryAt));
    await expect.poll(next).toBeGreaterThan(clock.now().getTime());
    clock.advance(milliseconds);
  };
  const ping = async (owner: StockClient, path: string): Promise<Delivery> => {
    const { status, body } = await owner.send('POST', `${path}/ping`);
    expect(status).toBe(200);
    return body.data as Delivery;
  };

  it('get what happens in their entity, private or not, signed, and what they want alone', async () => {
    const { entity, owner, hook } = await newHook({ kinds: ['image.push', 'tag.set'] });
    const { owner: other, entity: elsewhere } = await newEntity();
    await other.push(`${elsewhere}/tools/app`, await testImage());
    const container = await owner.place(`${entity}/tools/app`);
    await owner.send('PATCH', `/v1/manage/containers/${entity}/tools/app`, { private: true });
    const bytes = await testImage();
    await owner.push(`${entity}/tools/app`, bytes, { tags: ['v1'] });
    expect(container).toMatch(/^[0-9a-f]{24}$/);
    await receiver.count(2);
    const [push, tag] = receiver.received as [Received, Received];
    expect(eventIn(push)).toMatchObject({ kind: 'image.push', place: `${entity}/tools/app`, by: entity });
    expect(eventIn(tag)).toMatchObject({ kind: 'tag.set', tag: 'v1' });
    expect(push.path).toBe('/hook');
    expect(push.headers).toMatchObject({
      'content-type': 'application/json',
      'scs-event': 'image.push',
      'scs-webhook': hook.id,
      host: new URL(receiver.url).host,
    });
    requireSigned(push, hook.secret, clock.now());
    const made = await untilDelivery(owner, entity, hook.id, deliveryIn(tag), { state: 'delivered' });
    expect(made).toMatchObject({
      attempts: 1,
      nextAttemptAt: null,
      log: [{ status: 204, error: null, at: clock.now().toISOString(), duration: expect.any(Number) }],
    });
    // Newest first, and only of this entity.
    const all = await deliveriesOf(owner, entity, hook.id);
    expect(all.map(({ event }) => event.kind)).toEqual(['tag.set', 'image.push']);
  });

  it('show their secret once', async () => {
    const { owner, entity, hook, path } = await newHook();
    world.app.secrets.add('the secret of a webhook', hook.secret);
    expect(hook.secret).toMatch(/^[\w-]{43}$/);
    const answers = [
      await owner.get(path),
      await owner.get(`/v1/manage/webhooks/${entity}`),
      await owner.get(`${path}/deliveries`),
      await owner.send('PATCH', path, { description: 'Mine' }),
    ];
    for (const { status, body } of answers) {
      expect(status).toBe(200);
      expect(JSON.stringify(body)).not.toContain(hook.secret);
      // Nor as it is stored.
      expect(JSON.stringify(body)).not.toContain('"secret"');
    }
    const renewed = (await owner.send('PATCH', path, { newSecret: true })).body.data as Made;
    world.app.secrets.add('another secret of a webhook', renewed.secret);
    expect(renewed.secret).not.toBe(hook.secret);
    await ping(owner, path);
    requireSigned(await receiver.count(1), renewed.secret, clock.now());
  });

  it('try again after a failure, later each time, with the same id', async () => {
    const { owner, entity, hook, path } = await newHook();
    receiver.script.push(answering(500), answering(404), answering(200));
    const { id } = await ping(owner, path);
    expect(deliveryIn(await receiver.count(1))).toBe(id);
    const first = await untilDelivery(owner, entity, hook.id, id, { attempts: 1 });
    expect(first).toMatchObject({
      state: 'waiting',
      nextAttemptAt: new Date(clock.now().getTime() + 10 * SECOND).toISOString(),
      log: [{ status: 500, error: 'status' }],
    });
    await untilNext(owner, path, 10 * SECOND);
    await receiver.count(2);
    const second = await untilDelivery(owner, entity, hook.id, id, { attempts: 2 });
    expect(second.nextAttemptAt).toBe(new Date(clock.now().getTime() + 20 * SECOND).toISOString());
    expect((await owner.get(path)).body.data.failingSince).not.toBeNull();
    await untilNext(owner, path, 20 * SECOND);
    await receiver.count(3);
    const third = await untilDelivery(owner, entity, hook.id, id, { state: 'delivered' });
    expect(third.log.map(({ status }) => status)).toEqual([500, 404, 200]);
    expect(new Set(receiver.received.map(deliveryIn))).toEqual(new Set([id]));
    // Each attempt is signed for its own time.
    requireSigned(receiver.received[2] as Received, hook.secret, clock.now());
    await expect.poll(async () => (await owner.get(path)).body.data.failingSince).toBeNull();
  });

  it('give up after a day, and are disabled after days without a success, with a reason', async () => {
    const { owner, entity, hook, path } = await newHook();
    receiver.usual = answering(503);
    const { id } = await ping(owner, path);
    const stateLater = async (): Promise<string> => {
      await untilNext(owner, path, 60 * 60 * SECOND).catch(() => undefined);
      return (await untilDelivery(owner, entity, hook.id, id, {})).state;
    };
    for (let hours = 0; hours < 40 && (await stateLater()) === 'waiting';) hours += 1;
    const over = await untilDelivery(owner, entity, hook.id, id, { state: 'given_up', nextAttemptAt: null });
    expect(Date.parse(over.log.at(-1)?.at ?? '') - Date.parse(over.createdAt)).toBeGreaterThanOrEqual(DAY);
    expect((await owner.get(path)).body.data).toMatchObject({ enabled: true });
    clock.advance(LIMITS.webhookFailing - DAY);
    await ping(owner, path);
    await expect
      .poll(async () => (await owner.get(path)).body.data, { timeout: 15_000 })
      .toMatchObject({ enabled: false, disabledReason: 'failing' });
    // Nothing is made for it while it is disabled, and nothing is sent.
    const sent = receiver.received.length;
    const exp = Math.floor(clock.now().getTime() / 1000) + 24 * 3600;
    const again = world.client(await authority.token({ username: entity, claims: { exp } }));
    expect((await again.send('POST', `${path}/ping`)).body.error).toMatchObject({
      code: 409,
      reason: 'webhook_disabled',
    });
    receiver.usual = answering(200);
    const enabled = await again.send('PATCH', path, { enabled: true });
    expect(enabled.body.data).toMatchObject({ enabled: true, disabledReason: null, failingSince: null });
    await ping(again, path);
    await receiver.count(sent + 1);
    const admin = world.client(
      await authority.token({ username: 'root', administrator: true, claims: { exp } }),
    );
    const query = `subject=${entity}@${hook.id}&action=webhook.change`;
    const changes = await waitForEntries(world.app, admin.token ?? '', query, 2);
    const entries = changes.filter(({ reason }) => reason === 'failing');
    expect(entries[0]).toMatchObject({ action: 'webhook.change', actor: null, after: { disabled: true } });
  });

  it('cost a receiver that hangs one place, and others nothing', async () => {
    const hung = await newHook();
    receiver.script.push(hanging);
    const { id } = await ping(hung.owner, hung.path);
    await receiver.count(1);
    // It waits already, and has not failed yet.
    await ping(hung.owner, hung.path);
    const good = await newHook();
    await ping(good.owner, good.path);
    await receiver.count(2);
    const failed = await untilDelivery(hung.owner, hung.entity, hung.hook.id, id, { attempts: 1 });
    expect(failed.log).toMatchObject([{ status: null, error: 'timeout' }]);
    expect(failed.log[0]?.duration).toBeGreaterThanOrEqual(QUICK.deliveryTimeout - 50);
    // One that fails is left alone for a while, whatever else comes for it.
    await hung.owner.place(`${hung.entity}/tools/app`);
    await expect.poll(async () => (await deliveriesOf(hung.owner, hung.entity, hung.hook.id)).length).toBe(4);
    await ping(good.owner, good.path);
    await receiver.count(3);
    const toHung = receiver.received.filter(({ headers }) => headers['scs-webhook'] === hung.hook.id);
    expect(toHung).toHaveLength(1);
    await hung.owner.send('DELETE', hung.path);
  });

  it('follow no redirects, and read no answer', async () => {
    const { owner, entity, hook, path } = await newHook();
    receiver.script.push(answering(307, { location: `${receiver.url}/elsewhere` }));
    const first = await ping(owner, path);
    const redirected = await untilDelivery(owner, entity, hook.id, first.id, { attempts: 1 });
    expect(redirected.log).toMatchObject([{ status: 307, error: 'status' }]);
    expect(receiver.received).toHaveLength(1);
    await untilNext(owner, path, 10 * SECOND);
    await untilDelivery(owner, entity, hook.id, first.id, { state: 'delivered' });
    let cut: Promise<unknown> | undefined;
    receiver.script.push((response) => {
      cut = new Promise((resolve) => response.once('close', resolve));
      response.writeHead(200);
      const chunk = Buffer.alloc(64 * 1024);
      const fill = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', fill);
      fill();
    });
    const endless = await ping(owner, path);
    await untilDelivery(owner, entity, hook.id, endless.id, { state: 'delivered' });
    await cut;
    receiver.script.push((response) => {
      response.socket?.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`);
    });
    const large = await ping(owner, path);
    const refused = await untilDelivery(owner, entity, hook.id, large.id, { attempts: 1 });
    expect(refused.log).toMatchObject([{ status: null, error: 'connection_failed' }]);
  });

  it('are asked to deliver again what is over', async () => {
    const { owner, entity, hook, path } = await newHook();
    const { id } = await ping(owner, path);
    await untilDelivery(owner, entity, hook.id, id, { state: 'delivered' });
    const redeliver = (delivery: string) => owner.send('POST', `${path}/deliveries/${delivery}/redeliver`);
    expect((await redeliver(id)).status).toBe(200);
    const again = await receiver.count(2);
    expect(deliveryIn(again)).toBe(id);
    expect(again.body).toBe(receiver.received[0]?.body);
    await untilDelivery(owner, entity, hook.id, id, { state: 'delivered', attempts: 2 });
    expect((await redeliver('0'.repeat(24))).body.error.reason).toBe('delivery_not_found');
    receiver.usual = answering(500);
    const waiting = await ping(owner, path);
    await untilDelivery(owner, entity, hook.id, waiting.id, { attempts: 1 });
    expect((await redeliver(waiting.id)).body.error).toMatchObject({ code: 409, reason: 'delivery_waiting' });
    // Those of another webhook are none of this one's.
    const other = await newHook();
    const theirs = await ping(other.owner, other.path);
    expect((await redeliver(theirs.id)).status).toBe(404);
  });

  it('are changed and removed by owners alone, which is recorded without their addresses', async () => {
    const { owner, entity, hook, path } = await newHook();
    const claims = { exp: Math.floor(clock.now().getTime() / 1000) + 24 * 3600 };
    const secretive = `${receiver.url}?key=0123456789abcdef`;
    expect((await owner.send('PATCH', path, { url: secretive, enabled: false })).body.data).toMatchObject({
      url: secretive,
      enabled: false,
      disabledReason: 'by_owner',
    });
    const writer = world.client(
      await authority.token({ username: 'scribe', organisations: { [entity]: 'writer' }, claims }),
    );
    const stranger = world.client(await authority.token({ username: 'passer', claims }));
    for (const client of [writer, stranger])
      for (const answer of [
        await client.get(path),
        await client.get(`/v1/manage/webhooks/${entity}`),
        await client.get(`${path}/deliveries`),
        await client.send('PATCH', path, { enabled: true }),
        await client.send('POST', `${path}/ping`),
        await client.send('DELETE', path),
      ])
        expect(answer.status).toBe(403);
    expect((await owner.send('DELETE', path)).status).toBe(200);
    expect((await owner.get(path)).body.error).toMatchObject({ code: 404, reason: 'webhook_not_found' });
    const admin = world.client(await authority.token({ username: 'root', administrator: true, claims }));
    const subject = `subject=${entity}@${hook.id}`;
    const entries = await waitForEntries(
      world.app,
      admin.token ?? '',
      `${subject}&action=webhook.delete&outcome=done`,
      1,
    );
    expect(entries[0]).toMatchObject({ before: { name: new URL(receiver.url).host, disabled: true } });
    const trail = JSON.stringify((await admin.get(`/v1/audit?subject=${entity}&limit=500`)).body);
    expect(trail).toContain('webhook.create');
    expect(trail).not.toContain('0123456789abcdef');
    expect(trail).not.toContain('/hook');
  });

  it('are so many of one entity, and go with it', async () => {
    const { owner, entity } = await newEntity();
    const made: Made[] = [];
    for (let one = 0; one < LIMITS.webhooks; one += 1) made.push(await create(owner, entity, receiver.url));
    const more = await owner.send('POST', `/v1/manage/webhooks/${entity}`, { url: receiver.url });
    expect(more.body.error).toMatchObject({ code: 409, reason: 'too_many_webhooks' });
    expect((await owner.send('DELETE', `/v1/manage/entities/${entity}`)).status).toBe(200);
    await owner.entity(entity);
    expect((await owner.get(`/v1/manage/webhooks/${entity}`)).body.data).toEqual([]);
    expect((await owner.get(`/v1/manage/webhooks/${entity}/${made[0]?.id ?? ''}`)).status).toBe(404);
  });

  it.each([
    'http://example.org/hook',
    'ftp://example.org/hook',
    'https://ann:secret@example.org/hook',
    'https://example.org/hook#part',
    'no address',
    `https://example.org/${'x'.repeat(2000)}`,
    'https://10.0.0.1/hook',
    'https://169.254.169.254/latest',
    'https://[::1]/hook',
    'https://[::ffff:10.0.0.1]/hook',
    'https://2886729729/hook',
    'https://0x0a.1/hook',
  ])('are not sent to %s', async (url) => {
    const { owner, entity } = await newEntity();
    const { status, body } = await owner.send('POST', `/v1/manage/webhooks/${entity}`, { url });
    expect(status).toBe(400);
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  it('get everything once from several processes, and go on with another one', async () => {
    if (name === 'SQLite') return;
    const [own, time] = [await open(), new ManualClock(new Date())];
    // Each has a folder of its own, and both the same key.
    const homes = [await temporaryFolder(), await temporaryFolder()];
    const worlds: World[] = [];
    for (const { path: home } of homes) {
      const folder = join(home, 'data', 'library');
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'upload-url.key'), Buffer.alloc(32, 3), { mode: 0o600 });
      const one = await startLibrary({
        home,
        open: async () => ({ env: own.env, stop: async () => undefined }),
        authority,
        clock: time,
        limits: QUICK,
        env: reaching(receiver),
      });
      worlds.push(one);
    }
    try {
      const [first, second] = worlds as [World, World];
      const hook = await create(first.tester, 'tester', receiver.url, { kinds: ['tag.set'] });
      const pushed = await first.tester.push('tester/tools/app', await testImage(), { tags: [] });
      for (let turn = 0; turn < 3; turn += 1) {
        await first.tester.tag(pushed.container, `a${turn}`, pushed.id);
        await second.tester.tag(pushed.container, `b${turn}`, pushed.id);
      }
      await receiver.count(6);
      // One of them ends in order; the other one delivers from now on, whichever it was before.
      worlds.shift();
      await first.stop();
      await second.tester.tag(pushed.container, 'last', pushed.id);
      await receiver.count(7);
      const all = await deliveriesOf(second.tester, 'tester', hook.id);
      expect(all).toHaveLength(7);
      await untilDelivery(second.tester, 'tester', hook.id, all[0]?.id ?? '', { state: 'delivered' });
      const told = receiver.received.map((each) => eventIn(each).tag ?? '');
      expect(told).toHaveLength(7);
      expect(new Set(told)).toEqual(new Set(['a0', 'a1', 'a2', 'b0', 'b1', 'b2', 'last']));
    } finally {
      for (const world of worlds) await world.stop();
      await own.stop();
      for (const home of homes) await home.remove();
    }
  }, 60_000);
});

describe('webhooks', () => {
  let receiver: Receiver;
  const worlds: World[] = [];
  beforeEach(async () => {
    receiver = await Receiver.start();
  });
  afterEach(async () => {
    for (const world of worlds.splice(0).toReversed()) await world.stop();
    await receiver.stop();
  });
  const start = async (options: Parameters<typeof startLibrary>[0] = {}): Promise<World> => {
    const world = await startLibrary({ limits: QUICK, env: reaching(receiver), ...options });
    worlds.push(world);
    return world;
  };
  const stop = async (world: World): Promise<void> => {
    worlds.splice(worlds.indexOf(world), 1);
    await world.stop();
  };
  const logOf = async (world: World, hook: Made): Promise<Delivery> => {
    const found = async () => (await deliveriesOf(world.tester, 'tester', hook.id))[0];
    await expect.poll(async () => (await found())?.attempts).toBeGreaterThan(0);
    const one = await found();
    if (one === undefined) throw new Error('There is no delivery');
    return one;
  };

  it('reach nobody inside, also where a name leads there', async () => {
    const world = await start({ env: { SCS_WEBHOOK_CA_FILE: receiver.caFile } });
    const hook = await create(world.tester, 'tester', receiver.url);
    await world.tester.send('POST', `/v1/manage/webhooks/tester/${hook.id}/ping`);
    expect((await logOf(world, hook)).log).toMatchObject([{ status: null, error: 'address_refused' }]);
    expect(receiver.connections).toBe(0);
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
    for (let one = 0; one < 6; one += 1) hung.push(await create(world.tester, 'tester', receiver.url));
    const good = await create(world.other, 'other', receiver.url, { kinds: ['tag.set'] });
    const isHung = ({ headers }: Received): boolean => hung.some(({ id }) => id === headers['scs-webhook']);
    const ping = (client: StockClient, entity: string, { id }: Made) =>
      client.send('POST', `/v1/manage/webhooks/${entity}/${id}/ping`);
    // They fail at first, and hang ever after.
    receiver.usual = answering(500);
    for (const hook of hung) await ping(world.tester, 'tester', hook);
    const nextOf = async ({ id }: Made): Promise<number> => {
      const { body } = await world.tester.get(`/v1/manage/webhooks/tester/${id}`);
      return Date.parse(String(body.data.nextDeliveryAt));
    };
    for (const hook of hung) await expect.poll(() => nextOf(hook)).toBeGreaterThan(clock.now().getTime());
    const before = receiver.received.length;
    receiver.usual = (response, received) =>
      isHung(received) ? undefined : void response.writeHead(204).end();
    clock.advance(10 * SECOND);
    await receiver.count(before + 2);
    await ping(world.other, 'other', good);
    await receiver.count(before + 3);
    expect(receiver.received.slice(before).map(isHung)).toEqual([true, true, false]);
  });

  it('trust no receiver that nobody vouches for', async () => {
    const world = await start({ env: { SCS_WEBHOOK_NETWORKS: '127.0.0.1' } });
    const hook = await create(world.tester, 'tester', receiver.url);
    await world.tester.send('POST', `/v1/manage/webhooks/tester/${hook.id}/ping`);
    expect((await logOf(world, hook)).log).toMatchObject([{ status: null, error: 'certificate_refused' }]);
    expect(receiver.received).toEqual([]);
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
      const hook = await create(world.tester, 'tester', receiver.url, { kinds: ['image.push'] });
      await rm(folder.path, { recursive: true });
      // The receiver has it, and nobody has written that down: what is in the files now is what kill -9 leaves.
      receiver.script.push(async (response) => {
        await cp(world.app.home, folder.path, {
          recursive: true,
          filter: (path) => !path.endsWith('.lock'),
        });
        response.writeHead(204).end();
      });
      await world.tester.push('tester/tools/app', await testImage());
      const first = await receiver.count(1);
      await untilDelivery(world.tester, 'tester', hook.id, deliveryIn(first), { state: 'delivered' });
      const next = await start({ authority, home: folder.path });
      const second = await receiver.count(2);
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
      for (const world of worlds.splice(0).toReversed()) await world.stop();
      await folder.remove();
    }
  });

  it('get what was waiting after a restart, also where nobody had said that it is due', async () => {
    const authority = await TestAuthority.make();
    const folder = await temporaryFolder();
    try {
      receiver.usual = answering(500);
      const world = await start({ authority, home: folder.path });
      const hook = await create(world.tester, 'tester', receiver.url, { kinds: ['image.push'] });
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
      expect(receiver.received).toEqual([]);
      receiver.usual = answering(200);
      await start({ authority, home: folder.path });
      expect(eventIn(await receiver.count(1)).id).toBe('e'.repeat(24));
    } finally {
      for (const world of worlds.splice(0).toReversed()) await world.stop();
      await folder.remove();
    }
  });

  it('are disabled when the key is gone that sealed their secret, until they have another one', async () => {
    const authority = await TestAuthority.make();
    const folder = await temporaryFolder();
    try {
      const world = await start({ authority, home: folder.path });
      const hook = await create(world.tester, 'tester', receiver.url);
      await stop(world);
      await writeFile(join(folder.path, 'data', 'library', 'upload-url.key'), Buffer.alloc(32, 7));
      const next = await start({ authority, home: folder.path });
      const path = `/v1/manage/webhooks/tester/${hook.id}`;
      await next.tester.send('POST', `${path}/ping`);
      await expect
        .poll(async () => (await next.tester.get(path)).body.data)
        .toMatchObject({ enabled: false, disabledReason: 'secret_lost' });
      const { secret } = (await next.tester.send('PATCH', path, { newSecret: true, enabled: true })).body
        .data as Made;
      const received = await receiver.count(1);
      const [, seconds = ''] = /t=(\d+)/.exec(String(received.headers['scs-signature'])) ?? [];
      requireSigned(received, secret, new Date(Number(seconds) * 1000));
    } finally {
      for (const world of worlds.splice(0).toReversed()) await world.stop();
      await folder.remove();
    }
  });

  it('list their last deliveries, and forget the others', async () => {
    const world = await start({ limits: { ...QUICK, deliveriesKept: 5 } });
    const hook = await create(world.tester, 'tester', receiver.url);
    const path = `/v1/manage/webhooks/tester/${hook.id}`;
    for (let turn = 1; turn <= 8; turn += 1) {
      await world.tester.send('POST', `${path}/ping`);
      await receiver.count(turn);
    }
    await expect.poll(async () => (await deliveriesOf(world.tester, 'tester', hook.id)).length).toBe(5);
    const first = await world.tester.get(`${path}/deliveries?limit=3`);
    expect(first.body.data).toHaveLength(3);
    const rest = await world.tester.get(`${path}/deliveries?cursor=${first.body.page.next as string}`);
    expect(rest.body.data).toHaveLength(2);
    expect(rest.body.page).toBeUndefined();
    expect((await world.tester.get(`${path}/deliveries?cursor=x`)).status).toBe(400);
  });

  it('are counted, by what came of them', async () => {
    const world = await start({
      open: () => withMetrics(sqliteDatabase),
      limits: { ...QUICK, deliveryEnd: 0 },
    });
    const hook = await create(world.tester, 'tester', receiver.url, { kinds: ['tag.set'] });
    const ping = () => world.tester.send('POST', `/v1/manage/webhooks/tester/${hook.id}/ping`);
    const outcome = async (name: string) =>
      (await Numbers.of(world.app)).get(`scs_library_deliveries_total{outcome="${name}"}`);
    await ping();
    await expect.poll(() => outcome('delivered')).toBe(1);
    receiver.usual = answering(500);
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
    receiver.usual = answering(500);
    const hook = await create(world.tester, 'tester', receiver.url, { kinds: ['tag.set'] });
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
