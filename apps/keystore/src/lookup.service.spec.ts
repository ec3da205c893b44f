import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Trail } from '#libs/audit';
import { systemClock } from '#libs/core';
import { openDocuments, TEMPORARY_DATABASE } from '#libs/documents';
import { Metrics } from '#libs/server';
import { CertificatesStore } from './certificates.store.js';
import type { Database } from './database.store.js';
import { handlesOf } from './handles.js';
import { LIMITS } from './limits.js';
import { LookupService, type Page } from './lookup.service.js';
import { PageTokens } from './page-tokens.js';

describe('a search by words', () => {
  let database: Database;
  let lookups: LookupService;
  const tokens = new PageTokens(Buffer.alloc(32));
  const MANY = LIMITS.listed + 50;

  async function add(store: CertificatesStore, n: number, names: readonly string[]): Promise<void> {
    const summary = {
      fingerprint: n.toString(16).padStart(40, '0'),
      algorithm: 22,
      bits: 256,
      created: 0,
      expires: undefined,
      revoked: false,
      userIds: names.map((text) => ({ text, created: 0, revoked: false })),
      subkeys: [],
    };
    const handles = handlesOf({ ...summary, version: 4, keyId: summary.fingerprint.slice(-16) });
    const { expires: _, ...value } = summary;
    const certificate = {
      ...value,
      armor: `${n}`,
      handles: handles.map(({ handle }) => handle),
      updatedAt: '',
      updatedBy: '',
    };
    await store.change(value.fingerprint, async () => ({
      record: { certificate, handles },
      event: { action: 'key.add', actor: null, subject: { kind: 'key', name: value.fingerprint } },
    }));
  }

  beforeAll(async () => {
    database = await openDocuments(TEMPORARY_DATABASE, { service: 'keystore' });
    const trail = new Trail({ documents: database, service: 'keystore', clock: systemClock });
    const store = new CertificatesStore(database, trail, systemClock);
    lookups = new LookupService(store, tokens, systemClock, Metrics.off());
    const names = (n: number): string => `Common Also${n % 2} Number${n}${n % 10 === 0 ? '' : ' Most'}`;
    await Promise.all(Array.from({ length: MANY }, (_, n) => add(store, n + 1, [names(n + 1)])));
    await add(store, MANY + 1, ['Common Rare', 'Other Name']);
  });
  afterAll(() => database.close());

  const numbers = (page: Page): number[] =>
    page.certificates.map(({ fingerprint }) => Number.parseInt(fingerprint, 16));
  const find = async (...words: string[]): Promise<number[]> =>
    numbers(await lookups.list([{ kind: 'words', words }], LIMITS.listed));

  it('finds what has all of them, however many have one of them', async () => {
    expect(await find('rare')).toEqual([MANY + 1]);
    expect(await find('common', 'rare')).toEqual([MANY + 1]);
    expect(await find('rare', 'common')).toEqual([MANY + 1]);
    expect(await find('common', 'also1', `number${LIMITS.listed + 45}`)).toEqual([LIMITS.listed + 45]);
    expect(await find('rare', 'name', 'common', 'other')).toEqual([MANY + 1]);
  });

  it('lists so many at most, and those with both of two words that many have', async () => {
    expect(await find('common')).toHaveLength(LIMITS.listed);
    const both = await find('common', 'also1');
    expect(both).toHaveLength(MANY / 2);
    expect(both.every((n) => n % 2 === 1)).toBe(true);
  });

  it.each([
    [['common'], MANY + 1, 100],
    [['common'], MANY + 1, 1 + MANY],
    [['common', 'also0'], MANY / 2, 7],
  ])('lists all with %j page by page, each once', async (words, count, size) => {
    const searches = [{ kind: 'words', words } as const];
    const all: number[] = [];
    let token: string | undefined;
    do {
      const page = await lookups.list(searches, size, token);
      expect(page.certificates.length).toBe(Math.min(size, count - all.length));
      all.push(...numbers(page));
      token = page.next;
    } while (token !== undefined);
    expect(new Set(all).size).toBe(count);
    expect(all).toHaveLength(count);
  });

  it.each([
    [['common', 'most'], 1],
    [['most', 'common'], 0],
    [['common', 'also1', 'most'], 1],
  ])('walks along the rarest of %j, also where more than a page have each', async (words, rarest) => {
    const searches = [{ kind: 'words', words } as const];
    // A page that is full says along what the next one goes.
    const { next = '' } = await lookups.list(searches, 1);
    expect(tokens.read(JSON.stringify(searches), next)).toMatchObject({ walked: rarest });
  });

  it.each([[['rare', 'number1']], [['common', 'nothing']], [['nothing']]])(
    'finds nothing for %j',
    async (words) => {
      await expect(find(...words)).rejects.toMatchObject({ code: 'not_found' });
    },
  );
});
