import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LIMITS } from '#apps/library/src/limits';
import { ManualClock } from '#libs/core';
import { waitForEntries } from '../../support/audit.js';
import { temporaryFolder } from '../../support/temporary.js';
import { answering, hanging, type Received } from '../../support/webhook-receiver.js';
import {
  create,
  deliveriesOf,
  deliveryIn,
  describeHooked,
  eventIn,
  QUICK,
  reaching,
  requireSigned,
  SECOND,
  untilDelivery,
} from './webhook-scene.js';
import { startLibrary, testImage, type World } from './world.js';

const HOUR = 60 * 60 * SECOND;
const DAY = 24 * HOUR;

describeHooked('what webhooks are sent', (on) => {
  const { newHook, newEntity, ping, untilNext } = on;

  it('get what happens in their entity, private or not, signed, and what they want alone', async () => {
    const { entity, owner, hook } = await newHook({ kinds: ['image.push', 'tag.set'] });
    const { owner: other, entity: elsewhere } = await newEntity();
    await other.push(`${elsewhere}/tools/app`, await testImage());
    const container = await owner.place(`${entity}/tools/app`);
    await owner.send('PATCH', `/v1/manage/containers/${entity}/tools/app`, { private: true });
    const bytes = await testImage();
    await owner.push(`${entity}/tools/app`, bytes, { tags: ['v1'] });
    expect(container).toMatch(/^[0-9a-f]{24}$/);
    await on.receiver.count(2);
    const [push, tag] = on.receiver.received as [Received, Received];
    expect(eventIn(push)).toMatchObject({ kind: 'image.push', place: `${entity}/tools/app`, by: entity });
    expect(eventIn(tag)).toMatchObject({ kind: 'tag.set', tag: 'v1' });
    expect(push.path).toBe('/hook');
    expect(push.headers).toMatchObject({
      'content-type': 'application/json',
      'scs-event': 'image.push',
      'scs-webhook': hook.id,
      host: new URL(on.receiver.url).host,
    });
    requireSigned(push, hook.secret, on.clock.now());
    const made = await untilDelivery(owner, entity, hook.id, deliveryIn(tag), { state: 'delivered' });
    expect(made).toMatchObject({
      attempts: 1,
      nextAttemptAt: null,
      log: [{ status: 204, error: null, at: on.clock.now().toISOString(), duration: expect.any(Number) }],
    });
    // Newest first, and only of this entity.
    const all = await deliveriesOf(owner, entity, hook.id);
    expect(all.map(({ event }) => event.kind)).toEqual(['tag.set', 'image.push']);
  });

  it('try again after a failure, later each time, with the same id', async () => {
    const { owner, entity, hook, path } = await newHook();
    on.receiver.script.push(answering(500), answering(404), answering(200));
    const { id } = await ping(owner, path);
    expect(deliveryIn(await on.receiver.count(1))).toBe(id);
    const first = await untilDelivery(owner, entity, hook.id, id, { attempts: 1 });
    expect(first).toMatchObject({
      state: 'waiting',
      nextAttemptAt: new Date(on.clock.now().getTime() + 10 * SECOND).toISOString(),
      log: [{ status: 500, error: 'status' }],
    });
    await untilNext(owner, path, 10 * SECOND);
    await on.receiver.count(2);
    const second = await untilDelivery(owner, entity, hook.id, id, { attempts: 2 });
    expect(second.nextAttemptAt).toBe(new Date(on.clock.now().getTime() + 20 * SECOND).toISOString());
    expect((await owner.get(path)).body.data.failingSince).not.toBeNull();
    await untilNext(owner, path, 20 * SECOND);
    await on.receiver.count(3);
    const third = await untilDelivery(owner, entity, hook.id, id, { state: 'delivered' });
    expect(third.log.map(({ status }) => status)).toEqual([500, 404, 200]);
    expect(new Set(on.receiver.received.map(deliveryIn))).toEqual(new Set([id]));
    // Each attempt is signed for its own time.
    requireSigned(on.receiver.received[2] as Received, hook.secret, on.clock.now());
    await expect.poll(async () => (await owner.get(path)).body.data.failingSince).toBeNull();
  });

  it('give up after a day, and are disabled after days without a success, with a reason', async () => {
    const { owner, entity, hook, path } = await newHook();
    on.receiver.usual = answering(503);
    const { id } = await ping(owner, path);
    for (let attempts = 1; attempts <= 40; attempts += 1) {
      const tried = await untilDelivery(owner, entity, hook.id, id, { attempts });
      if (tried.nextAttemptAt === null) break;
      const pause = Date.parse(tried.nextAttemptAt) - on.clock.now().getTime();
      await untilNext(owner, path, Math.max(pause, HOUR));
    }
    const over = await untilDelivery(owner, entity, hook.id, id, { state: 'given_up', nextAttemptAt: null });
    expect(Date.parse(over.log.at(-1)?.at ?? '') - Date.parse(over.createdAt)).toBeGreaterThanOrEqual(DAY);
    expect((await owner.get(path)).body.data).toMatchObject({ enabled: true });
    on.clock.advance(LIMITS.webhookFailing - DAY);
    await ping(owner, path);
    await expect
      .poll(async () => (await owner.get(path)).body.data, { timeout: 15_000 })
      .toMatchObject({ enabled: false, disabledReason: 'failing' });
    // Nothing is made for it while it is disabled, and nothing is sent.
    const sent = on.receiver.received.length;
    const exp = Math.floor(on.clock.now().getTime() / 1000) + 24 * 3600;
    const again = on.world.client(await on.authority.token({ username: entity, claims: { exp } }));
    expect((await again.send('POST', `${path}/ping`)).body.error).toMatchObject({
      code: 409,
      reason: 'webhook_disabled',
    });
    on.receiver.usual = answering(200);
    const enabled = await again.send('PATCH', path, { enabled: true });
    expect(enabled.body.data).toMatchObject({ enabled: true, disabledReason: null, failingSince: null });
    await ping(again, path);
    await on.receiver.count(sent + 1);
    const admin = on.world.client(
      await on.authority.token({ username: 'root', administrator: true, claims: { exp } }),
    );
    const query = `subject=${entity}@${hook.id}&action=webhook.change`;
    const changes = await waitForEntries(on.world.app, admin.token ?? '', query, 2);
    const entries = changes.filter(({ reason }) => reason === 'failing');
    expect(entries[0]).toMatchObject({ action: 'webhook.change', actor: null, after: { disabled: true } });
  });

  it('cost a receiver that hangs one place, and others nothing', async () => {
    const hung = await newHook();
    on.receiver.script.push(hanging);
    const { id } = await ping(hung.owner, hung.path);
    await on.receiver.count(1);
    // It waits already, and has not failed yet.
    await ping(hung.owner, hung.path);
    const good = await newHook();
    await ping(good.owner, good.path);
    await on.receiver.count(2);
    const failed = await untilDelivery(hung.owner, hung.entity, hung.hook.id, id, { attempts: 1 });
    expect(failed.log).toMatchObject([{ status: null, error: 'timeout' }]);
    expect(failed.log[0]?.duration).toBeGreaterThanOrEqual(QUICK.deliveryTimeout - 50);
    // One that fails is left alone for a while, whatever else comes for it.
    await hung.owner.place(`${hung.entity}/tools/app`);
    await expect.poll(async () => (await deliveriesOf(hung.owner, hung.entity, hung.hook.id)).length).toBe(4);
    await ping(good.owner, good.path);
    await on.receiver.count(3);
    const toHung = on.receiver.received.filter(({ headers }) => headers['scs-webhook'] === hung.hook.id);
    expect(toHung).toHaveLength(1);
    await hung.owner.send('DELETE', hung.path);
  });

  it('follow no redirects, and read no answer', async () => {
    const { owner, entity, hook, path } = await newHook();
    on.receiver.script.push(answering(307, { location: `${on.receiver.url}/elsewhere` }));
    const first = await ping(owner, path);
    const redirected = await untilDelivery(owner, entity, hook.id, first.id, { attempts: 1 });
    expect(redirected.log).toMatchObject([{ status: 307, error: 'status' }]);
    expect(on.receiver.received).toHaveLength(1);
    await untilNext(owner, path, 10 * SECOND);
    await untilDelivery(owner, entity, hook.id, first.id, { state: 'delivered' });
    let cut: Promise<unknown> | undefined;
    on.receiver.script.push((response) => {
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
    on.receiver.script.push((response) => {
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
    const again = await on.receiver.count(2);
    expect(deliveryIn(again)).toBe(id);
    expect(again.body).toBe(on.receiver.received[0]?.body);
    await untilDelivery(owner, entity, hook.id, id, { state: 'delivered', attempts: 2 });
    expect((await redeliver('0'.repeat(24))).body.error.reason).toBe('delivery_not_found');
    on.receiver.usual = answering(500);
    const waiting = await ping(owner, path);
    await untilDelivery(owner, entity, hook.id, waiting.id, { attempts: 1 });
    expect((await redeliver(waiting.id)).body.error).toMatchObject({ code: 409, reason: 'delivery_waiting' });
    // Those of another webhook are none of this one's.
    const other = await newHook();
    const theirs = await ping(other.owner, other.path);
    expect((await redeliver(theirs.id)).status).toBe(404);
  });

  it('get everything once from several processes, and go on with another one', async () => {
    if (on.databaseName === 'SQLite') return;
    const [database, time] = [on.database.another(), new ManualClock(new Date())];
    // Each has a folder of its own, and both the same key.
    const homes = [await temporaryFolder(), await temporaryFolder()];
    const worlds: World[] = [];
    for (const { path: home } of homes) {
      const folder = join(home, 'data', 'library');
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'upload-url.key'), Buffer.alloc(32, 3), { mode: 0o600 });
      const one = await startLibrary({
        home,
        open: async () => database,
        authority: on.authority,
        clock: time,
        limits: QUICK,
        env: reaching(on.receiver),
      });
      worlds.push(one);
    }
    try {
      const [first, second] = worlds as [World, World];
      const hook = await create(first.tester, 'tester', on.receiver.url, { kinds: ['tag.set'] });
      const pushed = await first.tester.push('tester/tools/app', await testImage(), { tags: [] });
      for (let turn = 0; turn < 3; turn += 1) {
        await first.tester.tag(pushed.container, `a${turn}`, pushed.id);
        await second.tester.tag(pushed.container, `b${turn}`, pushed.id);
      }
      await on.receiver.count(6);
      // One of them ends in order; the other one delivers from now on, whichever it was before.
      worlds.shift();
      await first.stop();
      await second.tester.tag(pushed.container, 'last', pushed.id);
      await on.receiver.count(7);
      const all = await deliveriesOf(second.tester, 'tester', hook.id);
      expect(all).toHaveLength(7);
      await untilDelivery(second.tester, 'tester', hook.id, all[0]?.id ?? '', { state: 'delivered' });
      const told = on.receiver.received.map((each) => eventIn(each).tag ?? '');
      expect(told).toHaveLength(7);
      expect(new Set(told)).toEqual(new Set(['a0', 'a1', 'a2', 'b0', 'b1', 'b2', 'last']));
    } finally {
      for (const world of worlds) await world.stop();
      for (const home of homes) await home.remove();
    }
  }, 60_000);
});
