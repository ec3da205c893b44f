import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Documents, Write } from '../port.js';
import { Model, type ModelWrite } from './model.js';
import { allPages } from './scan.suite.js';
import { newThings, type Subject, type Thing, type ThingIndex, type Things } from './things.js';

// Few ids and values, so that operations meet; among them such as sort differently in UTF-16 and in UTF-8.
const id = fc.constantFrom('a', 'b', 'c', 'B', '$a', 'a.b', '\uFF5E', '\u{1F600}');
const group = fc.constantFrom('', 'g', 'h', '\uFF5E', '\u{1F600}');
const rank = fc.constantFrom(-1, 0, 0.1, 0.30000000000000004, 7, 2 ** 40);
const name = fc.constantFrom('n', 'm', 'o', 'p');
const count = fc.integer({ min: -2, max: 4 });

const value = (named: boolean): fc.Arbitrary<Thing> =>
  fc
    .record({ group, rank, count, ...(named ? { name } : {}) }, { requiredKeys: ['group', 'count'] })
    .map((one) => one as Thing);

const write = (named: boolean): fc.Arbitrary<ModelWrite> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('insert', 'put'), id, value: value(named) }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('replace'), id, value: value(named), fresh: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete'), id }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete'), id, fresh: fc.boolean() }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('increment'),
        id,
        by: count,
        maximum: fc.constantFrom(3, 100),
      }),
    },
  ) as fc.Arbitrary<ModelWrite>;

interface Query {
  readonly index: ThingIndex;
  readonly equal?: readonly (string | number)[];
  readonly from?: string | number;
  readonly before?: string | number;
  readonly direction: 'ascending' | 'descending';
  readonly limit: number;
}

const page = {
  direction: fc.constantFrom('ascending' as const, 'descending' as const),
  limit: fc.integer({ min: 1, max: 4 }),
};
const query = fc.oneof(
  fc.record(
    { index: fc.constant('byGroup' as const), from: group, before: group, ...page },
    { requiredKeys: ['index', 'direction', 'limit'] },
  ),
  fc.record({ index: fc.constant('byGroup' as const), equal: fc.tuple(group), ...page }),
  fc.record(
    { index: fc.constant('byRank' as const), from: group, ...page },
    { requiredKeys: ['index', 'direction', 'limit'] },
  ),
  fc.record(
    { index: fc.constant('byRank' as const), equal: fc.tuple(group), from: rank, before: rank, ...page },
    { requiredKeys: ['index', 'equal', 'direction', 'limit'] },
  ),
  fc.record({ index: fc.constant('byRank' as const), equal: fc.tuple(group, rank), ...page }),
  fc.record(
    { index: fc.constant('byName' as const), from: name, before: name, ...page },
    { requiredKeys: ['index', 'direction', 'limit'] },
  ),
  fc.record(
    { index: fc.constant('byCount' as const), from: count, before: count, ...page },
    { requiredKeys: ['index', 'direction', 'limit'] },
  ),
) as fc.Arbitrary<Query>;

type Step = { readonly commit: readonly ModelWrite[] } | { readonly query: Query };

const steps = (named: boolean): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ commit: fc.array(write(named), { minLength: 1, maxLength: 1 }) }) },
      { weight: 2, arbitrary: fc.record({ commit: fc.array(write(named), { minLength: 2, maxLength: 4 }) }) },
      { weight: 3, arbitrary: fc.record({ query }) },
    ),
    { maxLength: 25 },
  );

/**
 * A write of the model as one of the port. "Fresh" is the revision that the document will have when its turn comes: the
 * stored one and one more for every earlier write of the same commit; a document that is deleted and made again within
 * one commit has a revision that nobody can know, which `undefined` says.
 */
async function portWrites(things: Things, writes: readonly ModelWrite[]): Promise<Write[] | undefined> {
  const made: Write[] = [];
  const revisions = new Map<string, number | undefined>();
  for (const one of writes) {
    if (!revisions.has(one.id)) revisions.set(one.id, (await things.get(one.id))?.revision);
    const known = revisions.get(one.id);
    const revision = (fresh: boolean): number => (fresh ? (known ?? 1) : (known ?? 1) - 1);
    switch (one.kind) {
      case 'insert':
      case 'put':
        made.push(things.write[one.kind](one.id, one.value));
        break;
      case 'replace':
        made.push(things.write.replace(one.id, revision(one.fresh), one.value));
        break;
      case 'delete':
        made.push(things.write.delete(one.id, one.fresh === undefined ? undefined : revision(one.fresh)));
        break;
      case 'increment':
        made.push(things.write.increment(one.id, 'count', one.by, { maximum: one.maximum }));
        break;
      default:
        return undefined;
    }
    revisions.set(one.id, known === undefined ? undefined : known + 1);
  }
  return made;
}

/** Several writes of one document in a commit: only the first may depend on its revision or on its absence. */
function knowable(writes: readonly ModelWrite[]): boolean {
  const touched = new Set<string>();
  return writes.every((one) => {
    const again = touched.has(one.id);
    touched.add(one.id);
    return !again || one.kind === 'put' || one.kind === 'increment' || one.kind === 'insert';
  });
}

interface Pair {
  readonly documents: Documents;
  readonly things: Things;
  readonly model: Model;
}

/** Does a step on both; what came of it on the driver and on the model. */
async function runStep(step: Step, { documents, things, model }: Pair): Promise<readonly [unknown, unknown]> {
  if ('query' in step) {
    const { index, limit, ...options } = step.query;
    const pages = await allPages(things, index, { ...options, limit });
    const wanted = model.scan(index, options);
    const full = pages.slice(0, -1).map((one) => one.length);
    const keys = await things.keys(index, { ...options, limit });
    return [
      [pages.flat(), full, keys],
      [wanted, full.map(() => limit), wanted.slice(0, limit).map((one) => model.key(index, one))],
    ];
  }
  if (!knowable(step.commit)) return [true, true];
  const writes = await portWrites(things, step.commit);
  const result = await documents.commit(writes ?? []);
  const refused = model.commit(step.commit);
  return [result, refused === undefined ? { ok: true } : { ok: false, ...refused }];
}

/** Random commits and scans on the driver and on a Map: both must give the same, at every step and in the end. */
export function modelSuite(subject: () => Subject, runs: number): void {
  it('behaves like a Map, whatever happens', async () => {
    const { documents, gaps } = subject();
    const named = !gaps.has('unique-indexes-hold-absent-fields');
    await fc.assert(
      fc.asyncProperty(steps(named), async (list) => {
        const things = newThings(documents);
        const model = new Model();
        for (const step of list) {
          const [got, wanted] = await runStep(step, { documents, things, model });
          expect(got).toEqual(wanted);
        }
        const all = await things.getMany([...model.documents.keys()]);
        expect(new Map(all.map((one) => [one.id, one.value]))).toEqual(model.documents);
        const { items } = await things.scan('byGroup', { limit: 100 });
        expect(items.map((one) => one.id)).toEqual(model.scan('byGroup', {}));
      }),
      { numRuns: runs },
    );
  });
}
