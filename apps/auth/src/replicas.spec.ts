import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Actor } from '#libs/contract';
import { ManualClock } from '#libs/core';
import { type Documents, openDocuments, TEMPORARY_DATABASE } from '#libs/documents';
import { LocalAuthority } from './local-authority.js';
import { SigningKeys } from './signing-keys.js';
import { wire } from './testing/wire.js';

/* Two processes of auth on one database: what one has looked at, the other one changes before it is committed. */

type Replica = Awaited<ReturnType<typeof replica>>;

let folder: string;
let database: Documents;
let clock: ManualClock;
let one: Replica;
let two: Replica;

async function replica() {
  const services = await wire(database, clock);
  services.issuer.open('urn:scs:test', await SigningKeys.open(join(folder, 'signing-keys'), { clock }));
  services.verifier.useAuthority(new LocalAuthority(services.issuer, services.revocations, services.uses));
  return services;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scs-replicas-'));
  database = await openDocuments(TEMPORARY_DATABASE, { service: 'auth' });
  clock = new ManualClock('2026-05-01T12:00:00Z');
  one = await replica();
  two = await replica();
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const PASSWORD = 'correct horse battery';
const user = (username: string, administrator = false) =>
  one.accounts.create(null, { username, password: PASSWORD, administrator });
const signIn = (username: string): Promise<Actor> =>
  one.signIns.check({ username, password: PASSWORD, address: '192.0.2.1' });
const reasonOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error as { reason?: string }).reason ?? String(error),
  );
/** Lets `between` happen once, when `target` has looked and before it commits. */
function interrupt<K extends string>(
  target: Record<K, (...parameters: never[]) => Promise<unknown>>,
  method: K,
  between: () => Promise<unknown>,
): void {
  const original = target[method].bind(target);
  let first = true;
  target[method] = async (...parameters: never[]) => {
    const result = await original(...parameters);
    if (first) {
      first = false;
      await between();
    }
    return result;
  };
}

describe('a password that is changed', () => {
  const request = { name: 'x', scopes: ['build'], lifetime: 600 };

  test('is no proof any more for what was asked before', async () => {
    await user('alice');
    await user('root', true);
    const [alice, root] = [await signIn('alice'), await signIn('root')];
    await two.accounts.changePassword(root, 'alice', { password: 'another good one' });
    expect(await reasonOf(one.tokens.create(alice, request))).toBe('password_wrong');
    expect(await reasonOf(one.accounts.change(alice, 'alice', { displayName: 'X' }))).toBe('password_wrong');
    expect(await reasonOf(one.accounts.changePassword(alice, 'alice', { password: 'x'.repeat(10) }))).toBe(
      'password_wrong',
    );
  });

  test('while a token is being made with it makes that impossible: no token is missed', async () => {
    const { id } = await user('alice');
    await user('root', true);
    const [alice, root] = [await signIn('alice'), await signIn('root')];
    interrupt(one.issuer as never, 'accessToken', () =>
      two.accounts.changePassword(root, 'alice', { password: 'another good one' }),
    );
    expect(await reasonOf(one.tokens.create(alice, request))).toBe('password_wrong');
    expect((await one.tokensStore.list(id, { limit: 10 })).items).toEqual([]);
  });

  test('ends the tokens of its account, with more of them than one commit holds', async () => {
    const { id } = await user('alice');
    await user('root', true);
    const account = await one.accounts.get(id);
    for (let part = 0; part < 3; part += 1)
      await database.commit(
        Array.from({ length: 100 }, (_, index) =>
          one.tokensStore.creation(
            (part * 100 + index + 1).toString(16).padStart(24, '0'),
            one.tokens.prepare(account, request),
          ),
        ),
      );
    await one.accounts.changePassword(await signIn('root'), 'alice', { password: 'another good one' });
    expect(await one.tokensStore.valid(id, clock.now().toISOString(), 500)).toEqual([]);
    expect((await one.commits.after(0, 500)).entries).toHaveLength(300);
  });

  test('ends what may still live of tokens that have expired', async () => {
    const { id } = await user('alice');
    await user('root', true);
    const made = await one.tokens.create(await signIn('alice'), { ...request, lifetime: 60 });
    clock.advance(3_600_000);
    await one.accounts.changePassword(await signIn('root'), 'alice', { password: 'another good one' });
    expect((await one.tokensStore.get(made.stored.id))?.value.revokedAt).toBeDefined();
    expect((await one.tokensStore.list(id, { limit: 10 })).items).toHaveLength(1);
  });
});

describe('an organisation', () => {
  beforeEach(async () => {
    for (const name of ['olga', 'max']) await user(name);
    await user('root', true);
    await one.organisations.create(null, { name: 'physics', owner: 'olga' });
  });
  const rolesOf = async (username: string) => one.states.rolesOf(await one.accounts.byName(username));
  /** What the feed says last, for whoever holds a token. */
  const told = async (username: string) => {
    const root = await signIn('root');
    const { token } = await one.tokens.create(root, {
      name: 'x',
      scopes: ['build'],
      lifetime: 600,
      username,
    });
    await one.verifier.refresh();
    return (await one.verifier.verify(token)).organisations;
  };

  test('that is disabled while somebody joins gives no role to the one who joined', async () => {
    const root = await signIn('root');
    interrupt(one.organisations as never, 'get', () =>
      two.organisations.change(root, 'physics', { disabled: true }),
    );
    await one.members.set(root, 'physics', 'max', 'writer');
    expect(await rolesOf('max')).toEqual({});
    expect(await told('max')).toEqual({});
    await two.organisations.change(root, 'physics', { disabled: false });
    expect(await told('max')).toEqual({ physics: 'writer' });
  });

  test('keeps both of two changes of one account that are made at the same time', async () => {
    const root = await signIn('root');
    await one.organisations.create(null, { name: 'biology', owner: 'olga' });
    interrupt(one.organisations as never, 'get', () => two.members.set(root, 'biology', 'max', 'reader'));
    await one.members.set(root, 'physics', 'max', 'writer');
    expect(await told('max')).toEqual({ physics: 'writer', biology: 'reader' });
  });

  test('that is switched again while it is told ends as it was said last', async () => {
    const root = await signIn('root');
    await one.members.set(root, 'physics', 'max', 'writer');
    interrupt(one.accountsStore as never, 'getMany', () =>
      two.organisations.change(root, 'physics', { disabled: false }),
    );
    await one.organisations.change(root, 'physics', { disabled: true });
    expect((await one.organisations.byName('physics')).value).toMatchObject({ disabled: false });
    expect((await one.organisations.byName('physics')).value.spreadingSince).toBeUndefined();
    expect([await told('max'), await told('olga')]).toEqual([{ physics: 'writer' }, { physics: 'owner' }]);
  });
});

test('what a process that died had to tell is not taken for told by another one that was telling too', async () => {
  await user('olga');
  await user('root', true);
  const root = await signIn('root');
  const { id } = await one.organisations.create(null, { name: 'physics', owner: 'olga' });
  // The other process enables the organisation again, and dies before it tells anybody.
  interrupt(one.accountsStore as never, 'getMany', async () => {
    const stored = await two.organisations.get(id);
    const value = { ...stored.value, disabled: false, spreadingSince: '2026-05-01T12:00:01.000Z' };
    await two.commits.commit(async () => ({
      announcements: [],
      writes: [two.organisationsStore.change(stored, value)],
    }));
  });
  await one.organisations.change(root, 'physics', { disabled: true });
  expect((await one.organisations.get(id)).value.spreadingSince).toBe('2026-05-01T12:00:01.000Z');
  await one.spreads.finish();
  expect((await one.organisations.get(id)).value.spreadingSince).toBeUndefined();
  expect(await one.states.rolesOf(await one.accounts.byName('olga'))).toEqual({ physics: 'owner' });
});

test('the feed has no gap and no double when both write', async () => {
  await user('root', true);
  const root = await signIn('root');
  const names = Array.from({ length: 12 }, (_, index) => `user${index}`);
  for (const name of names) await user(name);
  await Promise.all(
    names.map(async (name, index) => [one, two][index % 2]?.accounts.change(root, name, { disabled: true })),
  );
  const { head, entries } = await one.commits.after(0, 500);
  expect(entries.map(({ sequence }) => sequence)).toEqual(names.map((_, index) => index + 1));
  expect(head).toBe(names.length);
});

test('a page of the feed is cut by its size', async () => {
  const entry = (id: number) => ({
    kind: 'account' as const,
    id: id.toString(16).padStart(24, '0'),
    disabled: false,
    administrator: false,
    organisations: 'x'.repeat(150_000),
  });
  for (let id = 0; id < 7; id += 1)
    await one.commits.commit(async () => ({ writes: [], announcements: [{ entry: entry(id) }] }));
  const sizes: number[] = [];
  let after = 0;
  for (let head = 1; after < head;) {
    const page = await one.commits.after(after, 500);
    sizes.push(page.entries.length);
    head = page.head;
    after = page.entries.at(-1)?.sequence ?? head;
  }
  expect(sizes).toEqual([2, 2, 2, 1]);
});
