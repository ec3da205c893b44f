import fc from 'fast-check';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { SignJWT, importJWK } from 'jose';
import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '#libs/contract';
import { hashOf } from './chain.js';
import type { ProblemKind } from './problems.js';
import { type ChainedRecord, entryOf, idOf, orderOf } from './records.js';
import { temporaryTrails } from './testing/temporary-trails.js';
import { newKey, tagSet, TrailWorld } from './testing/trail-world.js';
import { verifyTrail } from './verify.js';

let world: TrailWorld;
temporaryTrails((made) => (world = made));

const digest = (character: string) => ({ digest: `sha256.${character.repeat(64)}` });
/** What somebody can do who knows how entries are hashed. */
const sealed = (record: ChainedRecord): ChainedRecord => ({ ...record, hash: hashOf(entryOf(record)) });
/** Writes a past of one's own from an entry on, without a fault in the chain itself. */
async function rewrite(from: number, change: (record: ChainedRecord) => ChainedRecord): Promise<void> {
  let previous = from === 1 ? '0'.repeat(64) : (await world.record(from - 1)).hash;
  const { items } = await world.chain.scan('bySequence', { from, limit: 1000 });
  for (const { value } of items) {
    const record = sealed({ ...(value.sequence === from ? change(value) : value), previous });
    await world.put(record);
    previous = record.hash;
  }
  const last = items.at(-1)?.value.sequence ?? 0;
  await world.headRecords.put('head', { sequence: last, hash: previous });
}

describe('verification of an untouched trail', () => {
  it('finds nothing, and says how far it is signed', async () => {
    await world.happen(13);
    expect(await world.verify({ now: world.clock.now() })).toEqual({
      service: 'library',
      last: { sequence: 13, hash: (await world.record(13)).hash },
      heads: 5,
      signedUpTo: 13,
      problems: [],
    });
  });

  it('finds nothing in an empty one', async () => {
    expect(await world.verify({ now: world.clock.now() })).toMatchObject({
      last: { sequence: 0 },
      problems: [],
    });
  });

  it.each([0, 7])('finds nothing in one of %i entries that grows while it is read', async (count) => {
    await world.happen(count);
    const source = world.source();
    let growths = 3;
    const report = await verifyTrail({
      ...source,
      async *entries(after) {
        const read: AuditEntry[] = [];
        for await (const entry of source.entries(after)) read.push(entry);
        // Entries come, and their head is signed, before those are looked at that were read.
        if (growths > 0) await world.happen(2);
        growths -= 1;
        yield* read;
      },
    });
    expect(report.problems).toEqual([]);
    expect(report.last.sequence).toBeGreaterThanOrEqual(count + 2);
    expect(report.signedUpTo).toBe(report.last.sequence);
  });

  it('takes a last line that was not written to its end as what it is', async () => {
    await world.happen(6);
    await appendFile(world.heads.path, '{"service":"library","seq');
    expect((await world.verify()).problems).toEqual([]);
    await world.happen(3);
    expect(await world.verify()).toMatchObject({ heads: 3, signedUpTo: 9, problems: [] });
  });

  it('compares heads that two replicas wrote in another order', async () => {
    await world.happen(12);
    const lines = (await readFile(world.heads.path, 'utf8')).split('\n').slice(0, -1);
    await writeFile(world.heads.path, `${[3, 0, 2, 1].map((n) => lines[n]).join('\n')}\n`);
    expect(await world.verify()).toMatchObject({ heads: 4, signedUpTo: 12, problems: [] });
  });

  it('reports its progress', async () => {
    for (let n = 0; n < 10; n += 1)
      await world.documents.commit(Array.from({ length: 200 }, (_, k) => world.trail.write(tagSet(k))));
    await world.chainer.settle();
    const seen: number[] = [];
    await world.verify({ onProgress: (entries) => seen.push(entries) });
    expect(seen).toEqual([1000, 2000]);
  });
});

type Tampering = readonly [what: string, kind: ProblemKind, sequence: number, act: () => Promise<unknown>];

describe('verification finds', () => {
  const change = async (sequence: number, with_: Partial<ChainedRecord>): Promise<void> =>
    world.put({ ...(await world.record(sequence)), ...with_ });

  const tamperings: readonly Tampering[] = [
    ['an entry whose content was changed', 'edited', 5, () => change(5, { after: digest('f') })],
    ['an entry that names somebody else', 'edited', 5, () => change(5, { username: 'bob' })],
    ['an entry of another outcome', 'edited', 5, () => change(5, { outcome: 'refused' })],
    [
      'an entry whose time was changed',
      'edited',
      5,
      () => change(5, { order: orderOf('2026-01-01T00:00:00.000Z', 5) }),
    ],
    [
      'an entry that lists find at another place',
      'edited',
      5,
      () => change(5, { order: orderOf('2026-01-01T00:00:00.000Z', 6) }),
    ],
    [
      'an entry that lists find under another subject',
      'edited',
      5,
      () => change(5, { subject: 'ann/tools/blast:v5', part: '' }),
    ],
    ['an entry whose client was added', 'edited', 5, () => change(5, { reason: 'added' })],
    ['an entry that was removed', 'missing', 5, () => world.remove(5)],
    ['several that were removed', 'missing', 4, () => world.remove(4, 5, 6)],
    ['the first one removed', 'missing', 1, () => world.remove(1)],
    ['everything removed', 'cut', 1, () => world.remove(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)],
    ['the end removed', 'cut', 11, () => world.remove(11, 12)],
    [
      'two entries that changed places',
      'edited',
      4,
      async () => {
        const [four, five] = [await world.record(4), await world.record(5)];
        await world.put({ ...five, sequence: 4 });
        await world.put({ ...four, sequence: 5 });
      },
    ],
    [
      'an entry that was changed and hashed again',
      'forked',
      6,
      async () => world.put(sealed({ ...(await world.record(5)), after: digest('f') })),
    ],
    [
      'an entry that leads to another past',
      'forked',
      5,
      async () => world.put(sealed({ ...(await world.record(5)), previous: 'f'.repeat(64) })),
    ],
    [
      'a second entry of the same number',
      'forked',
      5,
      async () => world.put(sealed({ ...(await world.record(5)), after: digest('f') }), 'another'),
    ],
    [
      'an entry of another service',
      'foreign',
      5,
      async () => world.put(sealed({ ...(await world.record(5)), service: 'keystore' })),
    ],
    [
      'a past that was written anew from an entry on',
      'rewritten',
      6,
      () => rewrite(5, (record) => ({ ...record, after: digest('f') })),
    ],
    [
      'a past that was written anew from the beginning',
      'rewritten',
      3,
      () => rewrite(1, (record) => ({ ...record, username: 'bob' })),
    ],
    [
      'the last entry written anew',
      'rewritten',
      12,
      () => rewrite(12, (record) => ({ ...record, username: 'bob' })),
    ],
    [
      'an end that was removed and grown over',
      'rewritten',
      12,
      async () => {
        await world.remove(11, 12);
        await world.headRecords.put('head', { sequence: 10, hash: (await world.record(10)).hash });
        await world.happen(5);
      },
    ],
  ];

  it.each(tamperings)('%s: %s at %i', async (_, kind, sequence, act) => {
    await world.happen(12);
    expect((await world.verify()).problems).toEqual([]);
    await act();
    const { problems, last } = await world.verify();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ kind, sequence });
    expect(last.sequence).toBeLessThanOrEqual(sequence);
  });

  const lines = async (): Promise<string[]> =>
    (await readFile(world.heads.path, 'utf8')).split('\n').slice(0, -1);
  const keepLines = async (some: readonly string[]): Promise<void> =>
    writeFile(world.heads.path, some.map((line) => `${line}\n`).join(''));
  const later = (): Date => new Date(world.clock.now().getTime() + 120_000);

  it('the file of heads removed', async () => {
    await world.happen(12);
    await rm(world.heads.path);
    expect((await world.verify({ now: later() })).problems).toMatchObject([
      { kind: 'heads_missing', sequence: 1 },
    ]);
  });

  it('the file of heads cut, once what it lacks is older than a minute', async () => {
    await world.happen(12);
    await keepLines((await lines()).slice(0, 2));
    expect((await world.verify({ now: world.clock.now() })).problems).toEqual([]);
    expect((await world.verify({ now: later() })).problems).toMatchObject([
      { kind: 'heads_missing', sequence: 7 },
    ]);
  });

  it('the file of heads cut, without knowing the time, when entries that are a minute apart have none', async () => {
    await world.happen(6);
    world.clock.advance(120_000);
    await world.happen(6);
    expect((await world.verify()).problems).toEqual([]);
    await keepLines((await lines()).slice(0, 1));
    expect((await world.verify()).problems).toMatchObject([{ kind: 'heads_missing', sequence: 4 }]);
  });

  it.each<[string, ProblemKind, () => Promise<unknown>]>([
    [
      'that another key signed',
      'head_forged',
      async () => world.append({ sequence: 12, hash: (await world.record(12)).hash }, await newKey()),
    ],
    [
      'that another key signed in the name of ours',
      'head_forged',
      async () =>
        world.append({ sequence: 12, hash: 'f'.repeat(64) }, { ...(await newKey()), kid: world.key.kid }),
    ],
    [
      'of another service, signed by our key',
      'head_foreign',
      () => world.append({ service: 'keystore', sequence: 3, hash: 'f'.repeat(64) }),
    ],
    [
      'whose plain members say something else',
      'head_forged',
      async () => {
        const [first = '', ...rest] = await lines();
        await keepLines([first.replace('"sequence":3', '"sequence":4'), ...rest]);
      },
    ],
    ['that is garbage', 'head_damaged', () => appendFile(world.heads.path, 'no head\n')],
    [
      'that is garbage of any length',
      'head_damaged',
      () => appendFile(world.heads.path, `${'x'.repeat(600_000)}\n`),
    ],
    [
      'that was signed as something else',
      'head_forged',
      async () => {
        const { sequence, hash } = await world.record(12);
        const head = { service: 'library', sequence, hash, time: '2026-11-26T10:00:00.000Z' };
        const signed = await new SignJWT(head)
          .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: world.key.kid })
          .sign(await importJWK(world.key, 'ES256'));
        await appendFile(world.heads.path, `${JSON.stringify({ ...head, signed })}\n`);
      },
    ],
    [
      'that nobody signed',
      'head_forged',
      async () => {
        const { sequence, hash } = await world.record(12);
        const head = { service: 'library', sequence, hash, time: '2026-11-26T10:00:00.000Z' };
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
        const header = { alg: 'none', typ: 'scs-audit-head+jwt', kid: world.key.kid };
        const signed = `${part(header)}.${part(head)}.`;
        await appendFile(world.heads.path, `${JSON.stringify({ ...head, signed })}\n`);
      },
    ],
  ])('a head %s: %s', async (_, kind, act) => {
    await world.happen(12);
    await act();
    const { problems, heads } = await world.verify();
    expect(problems[0]).toMatchObject({ kind });
    // The good ones are compared all the same.
    expect(heads).toBeGreaterThanOrEqual(3);
  });

  it('a true head of a chain that is no more, however late it stands in the file', async () => {
    await world.happen(12);
    await world.append({ sequence: 2, hash: 'f'.repeat(64) });
    expect((await world.verify()).problems).toMatchObject([{ kind: 'rewritten', sequence: 2 }]);
  });

  it('an end that was cut together with the heads, by a copy that somebody kept', async () => {
    await world.happen(12);
    const copies = (await world.headLines()).slice(-1);
    await world.remove(10, 11, 12);
    await keepLines((await lines()).slice(0, 3));
    expect((await world.verify({ now: later() })).problems).toEqual([]);
    expect((await world.verify({ copies })).problems).toMatchObject([{ kind: 'cut', sequence: 10 }]);
  });

  it('a past, heads and key that were made anew, by a copy that somebody kept', async () => {
    await world.happen(12);
    const copies = await world.headLines();
    world.key = await newKey();
    await rewrite(5, (record) => ({ ...record, after: digest('f') }));
    await rm(world.heads.path);
    await world.append({ sequence: 12, hash: (await world.record(12)).hash });
    expect((await world.verify()).problems).toEqual([]);
    expect((await world.verify({ copies })).problems[0]).toMatchObject({ kind: 'head_forged' });
  });

  it('nothing in copies of other services', async () => {
    await world.happen(3);
    const copies = (await world.headLines()).map((line) => ({ ...line, service: 'keystore', hash: 'x' }));
    expect((await world.verify({ copies })).problems).toEqual([]);
  });
});

describe('any change of any entry', () => {
  it('is found at that entry or at the one behind it', async () => {
    await world.happen(9);
    const { items } = await world.chain.scan('bySequence', { limit: 100 });
    const original = items.map(({ value }) => value);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom<Partial<ChainedRecord>>(
          { username: 'bob' },
          { account: 'b'.repeat(24) },
          { tokenId: '2'.repeat(24) },
          { originTokenId: '2'.repeat(24) },
          { via: 'builder' },
          { address: '192.0.2.8' },
          { client: 'other' },
          { action: 'tag.move' },
          { outcome: 'failed' },
          { kind: 'image' },
          { subject: 'ann/tools/other' },
          { part: ':other' },
          { before: {} },
          { after: {} },
          { reason: 'other' },
          { order: orderOf('2026-11-26T10:00:00.500Z', 3) },
          { sequence: 77 },
          { previous: 'e'.repeat(64) },
          { hash: 'e'.repeat(64) },
          { service: 'auth' },
        ),
        fc.boolean(),
        async (sequence, change, hashedAgain) => {
          const before = original[sequence - 1];
          if (before === undefined) throw new Error('no entry');
          const after = { ...before, ...change };
          await world.put(hashedAgain ? sealed(after) : after, idOf(sequence));
          const { problems } = await world.verify();
          await world.put(before, idOf(sequence));
          // Hashed again, a changed hash is what it was.
          if (hashedAgain && 'hash' in change) return problems.length === 0;
          const found = problems[0]?.sequence ?? 0;
          return problems.length === 1 && found >= sequence && found <= sequence + 1;
        },
      ),
      { numRuns: 120 },
    );
    expect((await world.verify()).problems).toEqual([]);
  });
});
