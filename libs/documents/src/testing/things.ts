import { z } from 'zod';
import type { Collection, CollectionSpec, Documents } from '../port.js';

const thingSchema = z.object({
  group: z.string(),
  rank: z.number().optional(),
  name: z.string().optional(),
  count: z.number(),
  note: z.unknown().optional(),
});

/** The documents of the behaviour suite: every kind of field that an index can meet. */
export type Thing = z.infer<typeof thingSchema>;
export type ThingIndex = 'byGroup' | 'byRank' | 'byName' | 'byCount';
export type Things = Collection<Thing, ThingIndex>;

export function thingsSpec(name: string): CollectionSpec<Thing, ThingIndex> {
  return {
    name,
    schema: thingSchema,
    indexes: {
      byGroup: { fields: ['group'] },
      byRank: { fields: ['group', 'rank'] },
      byName: { fields: ['name'], unique: true },
      byCount: { fields: ['count'] },
    },
  };
}

let made = 0;

/** A new empty collection. */
export function newThings(documents: Documents): Things {
  made += 1;
  return documents.collection(thingsSpec(`things${made}-${Date.now().toString(36)}`));
}

export const thing = (change: Partial<Thing> = {}): Thing => ({ group: 'g', count: 0, ...change });

/** What a suite runs over. */
export interface Subject {
  readonly documents: Documents;
  /** Gaps of the stand-in, by name; none on SQLite and MongoDB. */
  readonly gaps: ReadonlySet<'commits-are-sequential' | 'unique-indexes-hold-absent-fields'>;
}
