import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '#apps/library/src/limits';
import { waitForEntries } from '../../support/audit.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import {
  create,
  deliveriesOf,
  describeHooked,
  useOwnLibraries,
  type Made,
  QUICK,
  requireSigned,
} from './webhook-scene.js';

describeHooked('webhooks', (on) => {
  const { newEntity, newHook, ping } = on;

  it('show their secret once', async () => {
    const { owner, entity, hook, path } = await newHook();
    on.world.app.secrets.add('the secret of a webhook', hook.secret);
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
    on.world.app.secrets.add('another secret of a webhook', renewed.secret);
    expect(renewed.secret).not.toBe(hook.secret);
    await ping(owner, path);
    requireSigned(await on.receiver.count(1), renewed.secret, on.clock.now());
  });

  it('are changed and removed by owners alone, which is recorded without their addresses', async () => {
    const { owner, entity, hook, path } = await newHook();
    const claims = { exp: Math.floor(on.clock.now().getTime() / 1000) + 24 * 3600 };
    const secretive = `${on.receiver.url}?key=0123456789abcdef`;
    expect((await owner.send('PATCH', path, { url: secretive, enabled: false })).body.data).toMatchObject({
      url: secretive,
      enabled: false,
      disabledReason: 'by_owner',
    });
    const writer = on.world.client(
      await on.authority.token({ username: 'scribe', organisations: { [entity]: 'writer' }, claims }),
    );
    const stranger = on.world.client(await on.authority.token({ username: 'passer', claims }));
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
    const admin = on.world.client(
      await on.authority.token({ username: 'root', administrator: true, claims }),
    );
    const subject = `subject=${entity}@${hook.id}`;
    const entries = await waitForEntries(
      on.world.app,
      admin.token ?? '',
      `${subject}&action=webhook.delete&outcome=done`,
      1,
    );
    expect(entries[0]).toMatchObject({ before: { name: new URL(on.receiver.url).host, disabled: true } });
    const trail = JSON.stringify((await admin.get(`/v1/audit?subject=${entity}&limit=500`)).body);
    expect(trail).toContain('webhook.create');
    expect(trail).not.toContain('0123456789abcdef');
    expect(trail).not.toContain('/hook');
  });

  it('are so many of one entity, and go with it', async () => {
    const { owner, entity } = await newEntity();
    const made: Made[] = [];
    for (let one = 0; one < LIMITS.webhooks; one += 1)
      made.push(await create(owner, entity, on.receiver.url));
    const more = await owner.send('POST', `/v1/manage/webhooks/${entity}`, { url: on.receiver.url });
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
});

describe('webhooks', () => {
  const own = useOwnLibraries();

  const { start, stop } = own;

  it('are disabled when the key is gone that sealed their secret, until they have another one', async () => {
    const authority = await TestAuthority.make();
    const folder = await temporaryFolder();
    try {
      const world = await start({ authority, home: folder.path });
      const hook = await create(world.tester, 'tester', own.receiver.url);
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
      const received = await own.receiver.count(1);
      const [, seconds = ''] = /t=(\d+)/.exec(String(received.headers['scs-signature'])) ?? [];
      requireSigned(received, secret, new Date(Number(seconds) * 1000));
    } finally {
      await own.stopAll();
      await folder.remove();
    }
  });

  it('list their last deliveries, and forget the others', async () => {
    const world = await start({ limits: { ...QUICK, deliveriesKept: 5 } });
    const hook = await create(world.tester, 'tester', own.receiver.url);
    const path = `/v1/manage/webhooks/tester/${hook.id}`;
    for (let turn = 1; turn <= 8; turn += 1) {
      await world.tester.send('POST', `${path}/ping`);
      await own.receiver.count(turn);
    }
    await expect.poll(async () => (await deliveriesOf(world.tester, 'tester', hook.id)).length).toBe(5);
    const first = await world.tester.get(`${path}/deliveries?limit=3`);
    expect(first.body.data).toHaveLength(3);
    const rest = await world.tester.get(`${path}/deliveries?cursor=${first.body.page.next as string}`);
    expect(rest.body.data).toHaveLength(2);
    expect(rest.body.page).toBeUndefined();
    expect((await world.tester.get(`${path}/deliveries?cursor=x`)).status).toBe(400);
  });
});
