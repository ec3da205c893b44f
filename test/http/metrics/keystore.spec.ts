import { randomBytes } from 'node:crypto';
import { CHANGES_COUNTER, type Counter, COUNTERS } from '#apps/keystore/src/collections.store';
import { DATABASE, type Database } from '#apps/keystore/src/database.store';
import { KeysCount } from '#apps/keystore/src/keys-count.store';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type StartedApp, startApp } from '../../support/app.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { askMetrics, Numbers, undocumented, withMetrics } from '../../support/metrics.js';
import { addKey, newTestKey, type TestKey, withUserId } from '../../support/pgp-keys.js';
import { TestAuthority } from '../../support/tokens.js';
import { unhurried } from '../keystore/unhurried.js';

const DAY = 86_400;

describe.each(DATABASES)('metrics of the keystore, on $name', ({ open }) => {
  let database: TestDatabase;
  let app: StartedApp;
  let ann: string;
  let admin: string;
  let keys: TestKey[];
  beforeAll(async () => {
    database = await withMetrics(open);
    const authority = await TestAuthority.make();
    app = unhurried(
      await startApp({
        modules: [KeystoreModule, authority.module()],
        env: {
          SCS_SERVICES: 'keystore',
          SCS_AUTH_URL: 'https://localhost:1',
          ...database.env,
          SCS_KEYSTORE_SEARCHES: '1',
        },
      }),
    );
    ann = await authority.token({ username: 'ann' });
    admin = await authority.token({ username: 'root', administrator: true });
    keys = [
      await newTestKey('Ann'),
      await newTestKey('Soon', { expiresIn: 10 * DAY }),
      await newTestKey('Later', { expiresIn: 60 * DAY }),
    ];
  });
  afterAll(async () => {
    await app.stop();
    await database.stop();
  });

  const adds = async (result: string): Promise<number | undefined> =>
    (await Numbers.of(app)).get(`scs_keystore_adds_total{result="${result}"}`);

  it('says what became of keys that were brought', async () => {
    for (const { armored } of keys) await addKey(app, armored, ann);
    expect(await adds('inserted')).toBe(3);
    const [key] = keys;
    if (key === undefined) throw new Error('no key');
    await addKey(app, key.armored, ann);
    expect(await adds('unchanged')).toBe(1);
    await addKey(app, await withUserId(key, { name: 'More' }), ann);
    expect(await adds('updated')).toBe(1);
    await addKey(app, 'nonsense', ann);
    await addKey(app, key.secret.armor(), ann);
    expect(await adds('refused')).toBe(2);
    // Without a token nothing is looked at.
    await app.request('/pks/add', { method: 'POST', body: key.armored });
    expect(await adds('refused')).toBe(2);
  });

  it('counts look-ups by what was asked and whether there was something', async () => {
    const ask = (path: string) => app.request(`/pks/lookup?${path}`);
    await ask(`op=get&search=0x${keys[0]?.fingerprint}`);
    await ask(`op=get&search=0x${keys[0]?.fingerprint}`);
    await ask(`op=get&search=0x${'a'.repeat(40)}`);
    // Three in one moment, and one in a second is allowed, after two at once.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    try {
      await ask('op=index&search=later');
      await ask('op=index&search=nobody');
      await ask('op=index&search=nobody');
    } finally {
      clock.mockRestore();
    }
    const numbers = await Numbers.of(app);
    const looked = (op: string, result: string): number | undefined =>
      numbers.get(`scs_keystore_lookups_total{op="${op}",result="${result}"}`);
    expect(looked('get', 'found')).toBe(2);
    expect(looked('get', 'not_found')).toBe(1);
    expect(looked('index', 'found')).toBe(1);
    expect(looked('index', 'not_found')).toBe(1);
    expect(numbers.get('scs_keystore_paced_total{op="search"}')).toBe(1);
    expect(numbers.get('scs_keystore_paced_total{op="get"}')).toBe(0);
  });

  it('counts what is stored in the commits that change it', async () => {
    const count = app.get<KeysCount>(KeysCount);
    expect(await count.read()).toBe(3);
    await app.request(`/v1/keys/${keys[2]?.fingerprint}`, { method: 'DELETE', token: ann });
    expect(await count.read()).toBe(2);
    // What is blocked before it came is no key, and a revocation is still one.
    await app.request(`/v1/keys/blocked/${'b'.repeat(40)}`, { method: 'PUT', token: admin });
    expect(await count.read()).toBe(2);
    const [first] = keys;
    await addKey(app, (await first?.revoked()) ?? '', ann);
    await app.request(`/v1/keys/${first?.fingerprint}`, { method: 'DELETE', token: admin });
    expect(await count.read()).toBe(2);
    const many = await Promise.all(Array.from({ length: 10 }, (_, index) => newTestKey(`Many${index}`)));
    await Promise.all(many.map(({ armored }) => addKey(app, armored, ann)));
    expect(await count.read()).toBe(12);
  });

  it('counts once what a database of before has', async () => {
    const counters = app.get<Database>(DATABASE).collection<Counter, never>(COUNTERS);
    await counters.update(CHANGES_COUNTER, (value) => value && { head: value.head });
    const count = app.get<KeysCount>(KeysCount);
    expect(await count.read()).toBeUndefined();
    await addKey(app, (await newTestKey('Uncounted')).armored, ann);
    expect(await count.read()).toBeUndefined();
    await count.begin();
    expect(await count.read()).toBe(13);
  });

  it('says how many keys there are and how many of them end soon', async () => {
    const numbers = await Numbers.of(app);
    // Known from the scrapes before for some seconds.
    expect(numbers.get('scs_keystore_keys')).toBeGreaterThanOrEqual(3);
    expect(numbers.get('scs_keystore_keys_expiring')).toBe(1);
    expect(numbers.get('scs_keystore_event_streams')).toBe(0);
    expect(numbers.get('scs_ready{check="keystore database"}')).toBe(1);
  });

  it('has no series for a key, an account, a token or a search', async () => {
    const before = (await Numbers.of(app)).series.filter((series) => series.startsWith('scs_'));
    for (let round = 0; round < 100; round += 1) {
      const word = randomBytes(20).toString('hex');
      await app.request(`/v1/keys/${word}`);
      await app.request(`/pks/lookup?op=get&search=0x${word}`);
      await app.request(`/v1/keys/${word}/challenge`, { method: 'POST', token: ann });
    }
    const { text } = await askMetrics(app);
    const after = new Numbers(text);
    const added = after.series.filter((series) => series.startsWith('scs_') && !before.includes(series));
    // Only the templates of the routes that were not asked before.
    expect(new Set(added.map((series) => /route="([^"]*)"/.exec(series)?.[1]))).toEqual(
      new Set(['/v1/keys/:fingerprint', '/v1/keys/:fingerprint/challenge']),
    );
    expect(undocumented(text)).toEqual([]);
    for (const label of after.labels) {
      expect(label).not.toMatch(/[0-9a-f]{16}/i);
      expect(label).not.toMatch(/ann|root|example|later/i);
    }
    for (const secret of [ann, admin, ...keys.map(({ fingerprint }) => fingerprint)])
      expect(text.toLowerCase()).not.toContain(secret.toLowerCase());
  });
});
