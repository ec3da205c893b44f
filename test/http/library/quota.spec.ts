import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { UploadsStore } from '#apps/library/src/uploads/uploads.store';
import { AccountsStore } from '#apps/library/src/storage/accounts.store';
import { UsageService } from '#apps/library/src/storage/usage.service';
import { waitForEntries } from '../../support/audit.js';
import { DATABASES } from '../../support/databases.js';
import { checked, requireNothingWrong } from './checked.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

const SIZE = 40_000;

describe.each(DATABASES)('quota of accounts over $name', ({ name: database, open }) => {
  const atomic = database === 'SQLite' || process.env['SCS_TEST_MONGO_URL'] !== undefined;

  let world: World;
  let names = 0;
  let one: number;
  beforeAll(async () => {
    one = (await testImage({ size: SIZE })).length;
    world = await startLibrary({
      open,
      env: { SCS_LIBRARY_ACCOUNT_QUOTA: String(3 * one), SCS_LIBRARY_ENTITY_QUOTA: '64M' },
    });
  });
  afterAll(async () => {
    await requireNothingWrong(world);
    await world.stop();
  });

  /** Somebody who has nothing yet, and writes to what all of them share. */
  const person = async (): Promise<{ name: string; client: StockClient }> => {
    const name = `person${(names += 1)}`;
    return {
      name,
      client: world.client(
        await world.authority.token({ username: name, organisations: { shared: 'owner' } }),
      ),
    };
  };
  const image = () => testImage({ size: SIZE });
  const usage = async (client: StockClient, name: string) =>
    (await client.get(`/v1/manage/accounts/${name}`)).body.data as Record<string, unknown>;
  const begin = async (client: StockClient, path: string, bytes: Buffer, more: object = {}) => {
    const container = await client.place(path);
    const id = (await client.image(container, hashOf(bytes))).body.data.id as string;
    const start = await client.send('POST', `/v2/imagefile/${id}`, { filesize: bytes.length, ...more });
    return { id, start };
  };
  const give = (name: string, quota: number | null) =>
    world.admin.send('PATCH', `/v1/manage/accounts/${name}`, { quota });

  it('is one over all entities, held from the first byte on, and says its numbers', async () => {
    const { name, client } = await person();
    expect(await usage(client, name)).toEqual({
      account: name,
      quota: 3 * one,
      ownQuota: null,
      used: 0,
      reserved: 0,
    });
    await client.push(`${name}/a/n`, await image());
    await client.push('shared/a/n', await image());
    const open = await begin(client, 'shared/a/open', await image());
    expect(await usage(client, name)).toMatchObject({ used: 2 * one, reserved: one });
    const { start } = await begin(client, 'shared/a/more', await image());
    expect(start.status).toBe(507);
    expect(start.body.error.reason).toBe('over_account_quota');
    for (const part of [
      `The quota of the account ${name} is 2`,
      ` KiB (${3 * one} bytes)`,
      `(${2 * one} bytes) are used`,
      `(${one} bytes) are reserved by uploads under way`,
      `(${one} bytes) more do not fit`,
    ])
      expect(start.body.error.message).toContain(part);
    expect(start.body.error.remedy).toContain('administrator');
    // Others have their own.
    const other = await person();
    await other.client.push('shared/a/more', await image());
    expect(await usage(client, name)).toMatchObject({ used: 2 * one, reserved: one });
    expect(open.start.status).toBe(200);
  });

  it('frees what is deleted at once, whoever deletes it', async () => {
    const { name, client } = await person();
    for (const container of ['a', 'b', 'c'])
      await client.push(`shared/freed/${container}-${name}`, await image());
    const bytes = await image();
    expect((await begin(client, `shared/freed/d-${name}`, bytes)).start.status).toBe(507);
    const { client: other } = await person();
    expect((await other.send('DELETE', `/v1/manage/containers/shared/freed/a-${name}`)).status).toBe(200);
    expect(await usage(client, name)).toMatchObject({ used: 2 * one, reserved: 0 });
    await client.push(`shared/freed/d-${name}`, bytes);
  });

  it('counts a content for whoever brought it into an entity first, once, until the last of its images goes', async () => {
    const [first, second] = [await person(), await person()];
    const bytes = await image();
    await first.client.push('shared/first/a', bytes);
    await second.client.push('shared/first/b', bytes);
    await second.client.push(`${second.name}/own/b`, bytes);
    expect(await usage(first.client, first.name)).toMatchObject({ used: one });
    expect(await usage(second.client, second.name)).toMatchObject({ used: one });
    await first.client.send('DELETE', `/v1/images/shared/first/a:${hashOf(bytes)}`);
    expect(await usage(first.client, first.name)).toMatchObject({ used: one });
    await first.client.send('DELETE', `/v1/images/shared/first/b:${hashOf(bytes)}`);
    expect(await usage(first.client, first.name)).toMatchObject({ used: 0 });
  });

  it('is not gone over by content that the library has already', async () => {
    const { name, client } = await person();
    const bytes = await image();
    await world.admin.push('museum/public/one', bytes);
    await give(name, one - 1);
    const { start } = await begin(client, `${name}/copy/one`, bytes);
    expect([start.status, start.body.error.reason]).toEqual([507, 'over_account_quota']);
    await give(name, one);
    await client.push(`${name}/copy/one`, bytes);
    expect(await usage(client, name)).toMatchObject({ used: one, quota: one });
  });

  it('is given by administrators, and taken back', async () => {
    const { name, client } = await person();
    expect((await client.send('PATCH', `/v1/manage/accounts/${name}`, { quota: 0 })).status).toBe(403);
    expect((await give(name, 0)).body.data).toMatchObject({ quota: 0, ownQuota: 0 });
    for (const container of ['a', 'b', 'c', 'd'])
      await client.push(`${name}/many/${container}`, await image());
    expect((await give(name, null)).body.data).toMatchObject({
      quota: 3 * one,
      ownQuota: null,
      used: 4 * one,
    });
    expect((await begin(client, `${name}/many/e`, await image())).start.status).toBe(507);
    // What is there stays, and can be read and deleted.
    expect((await client.get(`/v1/imagefile/${name}/many/a:latest`)).status).toBe(200);
    expect((await client.send('DELETE', `/v1/images/${name}/many/a:latest`)).status).toBe(200);
    const entries = await waitForEntries(
      world.app,
      String(world.admin.token),
      `subject=${name}&action=quota.change`,
      2,
    );
    expect(entries.map(({ before, after }) => [before, after])).toEqual([
      [{ quota: 0 }, {}],
      [{}, { quota: 0 }],
    ]);
    expect((await world.admin.send('PATCH', `/v1/manage/accounts/${name}`, { quota: -1 })).status).toBe(400);
  });

  it('of others is nobody’s business, whether there is such an account or not', async () => {
    const [{ name }, { client }] = [await person(), await person()];
    const [there, absent] = await Promise.all(
      [name, 'nobody-at-all'].map((one) => client.get(`/v1/manage/accounts/${one}`)),
    );
    expect(there?.status).toBe(404);
    expect(there?.body.error.message.replace(name, '…')).toBe(
      absent?.body.error.message.replace('nobody-at-all', '…'),
    );
    expect((await world.admin.get(`/v1/manage/accounts/${name}`)).body.data.used).toBe(0);
  });

  it.runIf(atomic)('is not gone over by many uploads at once', async () => {
    const { name, client } = await person();
    const started = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => begin(client, `${name}/race/n${index}`, await image())),
    );
    expect(started.map(({ start }) => start.status).toSorted((a, b) => a - b)).toEqual([
      200, 200, 200, 507, 507, 507, 507, 507,
    ]);
    expect(await usage(client, name)).toMatchObject({ used: 0, reserved: 3 * one });
    const uploads = world.app.get(UploadsStore);
    for (const { id, start } of started.filter(({ start }) => start.status === 200)) {
      const [upload] = await uploads.ofImage(id, 1);
      expect(upload?.value.accountReserved).toBe(one);
      const abort = await client.send('PUT', `/v2/imagefile/${id}/_multipart_abort`, {
        uploadID: upload?.id,
      });
      expect([abort.status, start.status]).toEqual([200, 200]);
    }
    expect(await usage(client, name)).toMatchObject({ used: 0, reserved: 0 });
  });

  it.each(['account', 'entity'])(
    'of the %s is asked for again at the end, where the content was there when the upload began',
    async (whose) => {
      const { name } = await person();
      const bytes = await image();
      const entity = `${name}-e`;
      const owner = world.client(
        await world.authority.token({ username: name, organisations: { [entity]: 'owner' } }),
      );
      await world.admin.entity(entity, { quota: whose === 'entity' ? 2 * one : 0 });
      const other = world.client(
        await world.authority.token({ username: `${name}-o`, organisations: { [entity]: 'owner' } }),
      );
      const container = await owner.place(`${entity}/c/second`);
      const id = (await owner.image(container, hashOf(bytes))).body.data.id as string;
      await other.push(`${entity}/c/first`, bytes);
      // Nothing is reserved: the entity has it.
      const start = await owner.send('POST', `/v2/imagefile/${id}`, { filesize: bytes.length });
      await other.send('DELETE', `/v1/images/${entity}/c/first:latest`);
      const filler = whose === 'entity' ? other : owner;
      const count = whose === 'entity' ? 2 : 3;
      for (let index = 0; index < count; index += 1)
        await filler.push(`${entity}/c/fill${index}`, await image());
      expect((await owner.put(start.body.data.uploadURL as string, bytes)).status).toBe(200);
      const end = await owner.send('PUT', `/v2/imagefile/${id}/_complete`, {});
      expect([end.status, end.body.error.reason]).toEqual([
        507,
        whose === 'entity' ? 'over_quota' : 'over_account_quota',
      ]);
      // Nothing of it stays.
      expect(await world.app.get(UploadsStore).ofImage(id, 10)).toEqual([]);
      expect(await world.blobs()).not.toContain(hashOf(bytes).slice('sha256.'.length));
      await requireNothingWrong(world);
    },
  );

  it('is counted again by a check, and put right', async () => {
    const { name, client } = await person();
    await client.push(`${name}/c/n`, await image());
    const accounts = world.app.get(AccountsStore);
    const before = await accounts.get(name);
    if (before === undefined) throw new Error('The account has no document');
    const database = world.app.get<Database>(DATABASE);
    const wrong = { ...before.value, size: 7, held: 9 };
    await database.commit([accounts.replacement(before, wrong)]);
    const numbers = (recorded: number) => ({ recorded, counted: one });
    const found = await checked(world, { repair: true });
    expect(found.problems).toEqual([
      { kind: 'account_size', name, ...numbers(7), repaired: true },
      { kind: 'account_held', name, ...numbers(9), repaired: true },
    ]);
    const ghost = { name: 'ghost', size: 5, held: 6 };
    await database.commit([accounts.creation(ghost)]);
    expect((await checked(world, { repair: true })).problems).toMatchObject([
      { kind: 'account_size', name: 'ghost', recorded: 5, counted: 0 },
      { kind: 'account_held', name: 'ghost', recorded: 6, counted: 0 },
    ]);
    expect(await usage(client, name)).toMatchObject({ used: one, reserved: 0 });
  });

  it.runIf(atomic)('is not gone over when it is lowered at the moment of a push', async () => {
    const { name, client } = await person();
    const service = world.app.get(UsageService);
    const look = service.shortage.bind(service);
    let lowered = false;
    const looks = vi.spyOn(service, 'shortage').mockImplementation(async (...args) => {
      const found = await look(...args);
      if (args[1] === name && !lowered) {
        lowered = true;
        await give(name, 1);
      }
      return found;
    });
    const { start } = await begin(client, `${name}/late/n`, await image());
    looks.mockRestore();
    expect(start.status).toBe(507);
    expect(await usage(client, name)).toMatchObject({ quota: 1, reserved: 0 });
  });

  describe('new entities', () => {
    it('have the quota of the site, which their owners cannot lose by making them again', async () => {
      const { name, client } = await person();
      expect((await client.entity(name, { quota: 1 })).body.data.quota).toBe(64 * 1024 ** 2);
      expect((await client.send('DELETE', `/v1/manage/entities/${name}`)).status).toBe(200);
      expect((await client.entity(name)).body.data.quota).toBe(64 * 1024 ** 2);
      await world.admin.send('PATCH', `/v1/manage/entities/${name}`, { quota: 5 });
      expect((await client.send('DELETE', `/v1/manage/entities/${name}`)).status).toBe(403);
    });
  });
});

describe('new entities of a site that keeps things to itself', () => {
  let world: World;
  beforeAll(async () => {
    world = await startLibrary({ env: { SCS_LIBRARY_DEFAULT_PRIVATE: 'yes' } });
  });
  afterAll(() => world.stop());

  it('are private with what is made in them, until their owner says otherwise', async () => {
    await world.tester.push('tester/tools/one', await testImage());
    expect((await world.anonymous.get('/v1/entities/tester')).status).toBe(404);
    expect((await world.anonymous.get('/v1/containers/tester/tools/one')).status).toBe(404);
    expect((await world.tester.get('/v1/containers/tester/tools/one')).body.data.private).toBe(true);
    await world.tester.send('PATCH', '/v1/manage/entities/tester', { defaultPrivate: false });
    await world.tester.place('tester/open/two');
    expect((await world.anonymous.get('/v1/containers/tester/open/two')).body.data.private).toBe(false);
    expect((await world.anonymous.get('/v1/containers/tester/tools/one')).status).toBe(404);
  });
});
