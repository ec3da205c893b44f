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

/** A check of the whole library, part by part, as `scs library check` does it. */
export async function checked({ app, admin }: World, wishes: CheckWishes = {}): Promise<Checked> {
  const parts: LibraryCheckPart[] = [];
  let cursor: string | undefined;
  do {
    const json = { ...wishes, ...(cursor === undefined ? {} : { cursor }) };
    const { status, body } = await app.request('/v1/library/check', {
      method: 'POST',
      token: admin.token ?? '',
      json,
    });
    if (status !== 200) throw new Error(`A check answered ${status}: ${JSON.stringify(body)}`);
    parts.push(body.data as LibraryCheckPart);
    cursor = body.page?.next as string | undefined;
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

/** Documents say the same as each other, and as the blobs, to the byte. */
export async function requireNothingWrong(world: World): Promise<void> {
  const { problems, unsettled, bytes } = await checked(world, { rehash: true });
  expect({ problems, unsettled, difference: bytes.difference }).toEqual({
    problems: [],
    unsettled: [],
    difference: 0,
  });
  expect(bytes.store).toBe(bytes.documents);
}
