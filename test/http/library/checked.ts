import { UpkeepStore } from '#apps/library/src/check/upkeep.store';
import { EventFeed } from '#apps/library/src/events/feed.store';
import type { LibraryCheckPart, LibraryProblem } from '#libs/contract';
import { expect, vi } from 'vitest';
import type { World } from './world.js';

export interface Checked {
  readonly problems: readonly LibraryProblem[];
  readonly unsettled: readonly string[];
  readonly bytes: LibraryCheckPart['bytes'];
  readonly parts: readonly LibraryCheckPart[];
}

export interface CheckWishes {
  readonly repair?: boolean;
  readonly rehash?: boolean;
}

interface Part {
  readonly part: LibraryCheckPart;
  readonly next: string | undefined;
}

/** A check of the whole library, part by part, as `scs library check` does it. */
export function checked({ app, admin }: World, wishes: CheckWishes = {}): Promise<Checked> {
  return collected(async (cursor) => {
    const json = { ...wishes, ...(cursor === undefined ? {} : { cursor }) };
    const { status, body } = await app.request('/v1/library/check', {
      method: 'POST',
      token: admin.token ?? '',
      json,
    });
    if (status !== 200) throw new Error(`A check answered ${status}: ${JSON.stringify(body)}`);
    return { part: body.data as LibraryCheckPart, next: body.page?.next as string | undefined };
  });
}

/** What a check says, without an order: ids have none. @param called how a thing is called that may be called by several names */
function sorted(
  problems: readonly (Omit<LibraryProblem, 'repaired'> & { readonly repaired?: boolean })[],
  called: (name: string) => string,
): string[] {
  return problems
    .map(({ kind, name, what, recorded, counted }) =>
      JSON.stringify({ kind, name: called(name), what, recorded, counted }),
    )
    .toSorted();
}

/** Expects that exactly this is seen, that looking changes nothing, and that a repair ends it. */
export async function requireRepair(
  world: World,
  expected: readonly Omit<LibraryProblem, 'repaired'>[],
  called: (name: string) => string = (name) => name,
): Promise<void> {
  for (let times = 0; times < 2; times += 1) {
    const { problems } = await checked(world);
    expect(sorted(problems, called)).toEqual(sorted(expected, called));
    expect(problems.some(({ repaired }) => repaired)).toBe(false);
  }
  const { problems } = await checked(world, { repair: true });
  expect(sorted(problems, called)).toEqual(sorted(expected, called));
  expect(problems.filter(({ repaired }) => !repaired)).toEqual([]);
  await requireNothingWrong(world);
}

/**
 * Waits until every event has its number, and the feed of events ends where it says. The stand-in for MongoDB knows no transactions: there,
 * numbers are given before the feed says so.
 */
export async function feedSettled({ app }: World): Promise<void> {
  const feed = app.get(EventFeed);
  // Not `expect.poll`, which works in a test only: what is right in the end is also asked behind the last test.
  await vi.waitFor(async () => {
    expect(await feed.waiting(1)).toEqual([]);
    const { head = 0 } = (await feed.feed())?.value ?? {};
    const beyond = { after: head, head: Number.MAX_SAFE_INTEGER, limit: 1 };
    expect((await feed.page({ index: 'bySequence', equal: [] }, beyond)).items).toEqual([]);
  }, 10_000);
}

/** Documents say the same as each other, and as the blobs, to the byte. Also when the tokens of the test have expired meanwhile. */
export async function requireNothingWrong(world: World): Promise<void> {
  const { app } = world;
  await feedSettled(world);
  const upkeep = app.get(UpkeepStore);
  const { problems, unsettled, bytes } = await collected(async (cursor) => {
    const { next, ...part } = await upkeep.check(cursor, { repair: false, rehash: true, actor: null });
    return { part, next };
  });
  expect({ problems, unsettled, difference: bytes.difference }).toEqual({
    problems: [],
    unsettled: [],
    difference: 0,
  });
  expect(bytes.store).toBe(bytes.documents);
}

async function collected(ask: (cursor: string | undefined) => Promise<Part>): Promise<Checked> {
  const parts: LibraryCheckPart[] = [];
  let cursor: string | undefined;
  do {
    const { part, next } = await ask(cursor);
    parts.push(part);
    cursor = next;
  } while (cursor !== undefined);
  const sum = (name: keyof LibraryCheckPart['bytes']) =>
    parts.reduce((total, { bytes }) => total + bytes[name], 0);
  return {
    problems: parts.flatMap(({ problems }) => problems),
    unsettled: parts.flatMap(({ unsettled }) => unsettled),
    bytes: {
      documents: sum('documents'),
      store: sum('store'),
      difference: sum('difference'),
      hashed: sum('hashed'),
    },
    parts,
  };
}
