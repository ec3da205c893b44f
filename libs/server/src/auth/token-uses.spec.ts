import { beforeEach, expect, test } from 'vitest';
import type { Actor } from '#libs/contract';
import { DomainError } from '#libs/core';
import type { NotedUse, TokenAuthority } from './authority.js';
import { ACCESS_LIMITS } from './limits.js';
import { TokenUses } from './token-uses.js';

let ticks: number;
let noted: NotedUse[];
let failure: Error | undefined;
let debug: string[];
let uses: TokenUses;

const authority = {
  noteUse: async (use: NotedUse) => {
    if (failure !== undefined) throw failure;
    noted.push(use);
  },
} as TokenAuthority;
const actor = (id: string, changes: Partial<Actor> = {}): Actor =>
  ({ tokenId: id, originTokenId: id, token: `token ${id}`, ...changes }) as Actor;
const from = { address: '192.0.2.1', client: 'sing/0.1.0' };

beforeEach(() => {
  ticks = 0;
  noted = [];
  failure = undefined;
  debug = [];
  uses = new TokenUses({
    authority: () => authority,
    elapsed: () => ticks,
    debug: (message) => {
      debug.push(message);
    },
  });
});

test('a use is reported with its token, once a minute', async () => {
  uses.used(actor('a'), from);
  uses.used(actor('a'), { ...from, address: '192.0.2.2' });
  await uses.flush();
  expect(noted).toEqual([{ tokenId: 'a', token: 'token a', ...from }]);
  ticks = ACCESS_LIMITS.useSpacingMs - 1;
  uses.used(actor('a'), from);
  await uses.flush();
  expect(noted).toHaveLength(1);
  ticks += 1;
  uses.used(actor('a'), { ...from, address: '192.0.2.2' });
  await uses.flush();
  expect(noted.map(({ address }) => address)).toEqual(['192.0.2.1', '192.0.2.2']);
});

test('an exchanged token counts as the one that it came from', async () => {
  uses.used(actor('x', { originTokenId: 'a', token: 'exchanged' }), from);
  await uses.flush();
  expect(noted).toMatchObject([{ tokenId: 'a', token: 'exchanged' }]);
});

test('a password is no use of a token', async () => {
  uses.used(actor('password', { token: '' }), from);
  await uses.flush();
  expect(noted).toEqual([]);
});

test('nobody waits: a report that takes for ever holds up nothing, and is sent by itself', async () => {
  let told: () => void = () => undefined;
  const telling = new Promise<void>((resolve) => {
    told = resolve;
  });
  const slow = new TokenUses({
    authority: () => ({
      ...authority,
      noteUse: () => {
        told();
        return new Promise<void>(() => undefined);
      },
    }),
    elapsed: () => ticks,
    debug: () => undefined,
  });
  slow.used(actor('a'), from);
  await telling;
  expect(slow.used(actor('b'), from)).toBeUndefined();
});

test('what cannot be told is dropped, and where auth is away nothing more is tried', async () => {
  failure = new DomainError('unauthorized', 'The token was revoked');
  uses.used(actor('a'), from);
  uses.used(actor('b'), from);
  await uses.flush();
  expect(debug).toHaveLength(2);
  failure = new DomainError('unavailable', 'auth cannot be reached');
  for (const id of ['c', 'd', 'e']) uses.used(actor(id), from);
  await uses.flush();
  expect(debug).toHaveLength(3);
  failure = undefined;
  uses.used(actor('f'), from);
  await uses.flush();
  expect(noted.map(({ tokenId }) => tokenId)).toEqual(['f']);
});

test('a client name is cut, and holds nothing that a terminal obeys', async () => {
  uses.used(actor('a'), { ...from, client: `\u009b31mred\t${'x'.repeat(500)}` });
  uses.used(actor('b'), { ...from, client: undefined });
  await uses.flush();
  expect(noted[0]?.client).toMatch(/^31mredx{194}$/);
  expect(noted[1]?.client).toBe('');
});

test('memory stays bounded', async () => {
  for (let one = 0; one < ACCESS_LIMITS.waitingUses + 50; one += 1) uses.used(actor(`t${one}`), from);
  await uses.flush();
  expect(noted).toHaveLength(ACCESS_LIMITS.waitingUses);
});
