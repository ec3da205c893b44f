import { ManualClock } from '#libs/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryAccess } from './access/memory.js';
import { addObject } from './add.js';
import { DataType, FileSystem, PartitionType } from './codes.js';
import { createSif } from './create.js';
import { deleteObject } from './delete.js';
import { groupOf, linkOf, nameOf, type Link } from './descriptor.js';
import { isPartitionOfType, partitionOf } from './extra.js';
import type { ObjectInput } from './input.js';
import { openObject, readObject } from './object.js';
import { setPrimary } from './primary.js';
import { readSif, type SifImage } from './read.js';
import { unusedBytes } from './unused.js';
import { imageWarnings } from './warnings.js';

/*
 * Whatever is created, added, deleted and made primary, in whatever order: the image holds what a plain list would hold.
 * The seed of a failure is printed; `fc.assert(…, { seed, path })` repeats it.
 */

interface Kept {
  readonly input: ObjectInput;
  readonly bytes: Buffer;
  readonly primary: boolean;
}
/** By id. */
type Model = Map<number, Kept>;

const SLOTS = 6;
const start = new Date('2026-11-24T12:00:00Z');

const bytes = fc.uint8Array({ maxLength: 300 });
const link = fc.option(
  fc.record({
    kind: fc.constantFrom<Link['kind']>('object', 'group'),
    id: fc.integer({ min: 1, max: 2 ** 28 - 1 }),
  }),
  { nil: undefined },
);
const plain = fc.record({
  type: fc.constantFrom<number>(...Object.values(DataType).filter((type) => type !== DataType.partition)),
  data: bytes,
  name: fc.string({ unit: 'grapheme-ascii', maxLength: 128 }),
  group: fc.integer({ min: 0, max: 2 ** 28 - 1 }),
  link,
  alignment: fc.constantFrom(0, 1, 8, 512, 4096),
});
const partition = fc.record({
  type: fc.constant<number>(DataType.partition),
  data: bytes,
  group: fc.integer({ min: 0, max: 3 }),
  extra: fc.record({
    kind: fc.constant('partition' as const),
    partition: fc.record({
      fileSystem: fc.constantFrom<number>(...Object.values(FileSystem)),
      type: fc.constantFrom<number>(...Object.values(PartitionType)),
      architecture: fc.constantFrom('amd64', 'arm64', 'riscv64'),
    }),
  }),
});
const input = fc.oneof(plain, partition).map((made): ObjectInput => {
  const { link: to, ...rest } = { link: undefined, ...made };
  return to === undefined ? rest : { ...rest, link: to };
});

type Step =
  | { readonly kind: 'add'; readonly input: ObjectInput }
  | { readonly kind: 'delete'; readonly id: number; readonly zero: boolean; readonly compact: boolean }
  | { readonly kind: 'primary'; readonly id: number };

const id = fc.integer({ min: 1, max: SLOTS + 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: input.map((made): Step => ({ kind: 'add', input: made })) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      id,
      zero: fc.boolean(),
      compact: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('primary' as const), id }) },
);

describe('any sequence of changes', () => {
  it('leaves what a list of objects would be', async () => {
    let steps = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(input, { maxLength: 4 }),
        fc.array(step, { maxLength: 12 }),
        async (objects, changes) => {
          const access = new MemoryAccess();
          const model: Model = new Map();
          const clock = new ManualClock(start);
          const primaries = objects.filter((one) => isPrimary(one)).length;
          const creating = createSif(access, { objects, slots: SLOTS, clock });
          if (primaries > 1) {
            await creating.catch(() => undefined);
            fc.pre(false);
          }
          await creating;
          for (const [index, one] of objects.entries()) model.set(index + 1, kept(one));
          for (const one of changes) {
            steps += 1;
            clock.advance(1000);
            await apply(access, model, one, clock);
            await agree(await readSif(access), model);
          }
          await agree(await readSif(access), model);
        },
      ),
      { numRuns: 150 },
    );
    expect(steps).toBeGreaterThan(150);
  });

  it('with zero and compact leaves nothing that was deleted', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(input, { minLength: 1, maxLength: SLOTS }),
        fc.infiniteStream(fc.nat()),
        async (objects, order) => {
          fc.pre(objects.filter((one) => isPrimary(one)).length < 2);
          const access = new MemoryAccess();
          const clock = new ManualClock(start);
          await createSif(access, { objects, slots: SLOTS, clock });
          for (
            let image = await readSif(access);
            image.descriptors.length > 0;
            image = await readSif(access)
          ) {
            const picks = image.descriptors;
            const pick = picks[order.next().value % picks.length];
            await deleteObject(access, pick?.id ?? 0, { clock, zero: true, compact: true });
          }
          const image = await readSif(access);
          expect([access.size, (await unusedBytes(image)).found]).toEqual([image.tableEnd, []]);
        },
      ),
      { numRuns: 50 },
    );
  });
});

const isPrimary = ({ extra }: ObjectInput): boolean =>
  extra?.kind === 'partition' && extra.partition.type === PartitionType.primary;
const kept = (one: ObjectInput): Kept => ({
  input: one,
  bytes: Buffer.from(one.data as Uint8Array),
  primary: isPrimary(one),
});

/** Does a step to both; what the list does not allow, the image must refuse, and stay as it was. */
async function apply(access: MemoryAccess, model: Model, one: Step, clock: ManualClock): Promise<void> {
  const before = access.toBuffer();
  const can = allowed(model, one);
  const outcome = await change(access, one, clock).then(
    () => 'done',
    () => 'refused',
  );
  const untouched = outcome === 'done' || access.toBuffer().equals(before);
  expect([one.kind, outcome, untouched]).toEqual([one.kind, can ? 'done' : 'refused', true]);
  if (!can) return;
  if (one.kind === 'add') model.set(firstFree(model), kept(one.input));
  else if (one.kind === 'delete') model.delete(one.id);
  else for (const [number, object] of model) model.set(number, { ...object, primary: number === one.id });
}

function change(access: MemoryAccess, one: Step, clock: ManualClock): Promise<unknown> {
  if (one.kind === 'add') return addObject(access, one.input, { clock });
  if (one.kind === 'primary') return setPrimary(access, one.id, { clock });
  const { id: number, zero, compact } = one;
  return deleteObject(access, number, { clock, zero, compact });
}

function allowed(model: Model, one: Step): boolean {
  if (one.kind === 'delete') return model.has(one.id);
  if (one.kind === 'add')
    return (
      model.size < SLOTS && !(isPrimary(one.input) && [...model.values()].some(({ primary }) => primary))
    );
  const target = model.get(one.id);
  return (
    target !== undefined && (target.primary || typeOf(target) === PartitionType.system || wasPrimary(target))
  );
}

const typeOf = ({ input: { extra } }: Kept): number | undefined =>
  extra?.kind === 'partition' ? extra.partition.type : undefined;
/** A root file system that another one replaced is a system partition now. */
const wasPrimary = (one: Kept): boolean => typeOf(one) === PartitionType.primary;

function firstFree(model: Model): number {
  for (let number = 1; ; number += 1) if (!model.has(number)) return number;
}

async function agree(image: SifImage, model: Model): Promise<void> {
  const ids = [...model.keys()].sort((a, b) => a - b);
  expect(image.descriptors.map((one) => one.id)).toEqual(ids);
  expect(image.header.descriptorsFree).toBe(BigInt(SLOTS - ids.length));
  expect(imageWarnings(image).filter((text) => !TRUE_OF_ANY_INPUT.test(text))).toEqual([]);
  const starts: [boolean, number][] = [];
  let end = 0;
  for (const descriptor of image.descriptors.toSorted((a, b) => Number(a.offset - b.offset))) {
    const { input: made, bytes: data, primary } = model.get(descriptor.id) as Kept;
    expect((await readObject(image, descriptor, 1000)).equals(data)).toBe(true);
    expect([descriptor.type, groupOf(descriptor), linkOf(descriptor)]).toEqual([
      made.type,
      made.group,
      made.link,
    ]);
    expect(nameOf(descriptor)).toBe((made.name ?? '').replace(/\0+$/, ''));
    expect(isPartitionOfType(descriptor, PartitionType.primary)).toBe(primary);
    expect(
      Number(descriptor.offset) %
        Math.max(made.alignment ?? (made.type === DataType.partition ? 4096 : 1), 1),
    ).toBe(0);
    // Objects without data take no place: others may stand where they are.
    if (descriptor.size === 0n) continue;
    starts.push([Number(descriptor.offset) >= end, descriptor.id]);
    end = Number(descriptor.offset) + openObject(image, descriptor).size;
  }
  expect(starts.filter(([apart]) => !apart)).toEqual([]);
  const root = image.descriptors.find((one) => isPartitionOfType(one, PartitionType.primary));
  const code = image.header.arch.toString('latin1', 0, 2);
  expect(code === '00').toBe(root === undefined);
  const codes: Record<string, string> = { amd64: '02', arm64: '04', riscv64: '12' };
  expect(root === undefined ? '00' : codes[partitionOf(root).architecture]).toBe(code);
}

/** What random inputs really are: links to nothing, signatures of nothing, formats that do not exist. */
const TRUE_OF_ANY_INPUT = /does not exist|linked to itself|signature of nothing|bill of materials is unknown/;
