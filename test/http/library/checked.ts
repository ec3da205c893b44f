import { UpkeepStore } from '#apps/library/src/check/upkeep.store';
import type { LibraryCheckPart, LibraryProblem } from '#libs/contract';
import { expect } from 'vitest';
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

/** Documents say the same as each other, and as the blobs, to the byte. Also when the tokens of the test have expired meanwhile. */
export async function requireNothingWrong({ app }: World): Promise<void> {
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
