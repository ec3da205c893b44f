import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditFilter } from '#libs/contract';
import type { Documents } from '#libs/documents';
import { withoutTokens } from '../event.js';
import { tagSet, TrailWorld } from './trail-world.js';

export interface TrailSubject {
  readonly documents: Documents;
  /** False on the stand-in, whose commits are one write after the other. */
  readonly atomic: boolean;
}

const ids = (entries: readonly { sequence: number }[]): number[] => entries.map(({ sequence }) => sequence);

/** What a trail does over every database. To be called inside a describe. */
export function trailSuite(subject: () => TrailSubject): void {
  let world: TrailWorld;
  beforeEach(async () => {
    world = await TrailWorld.make(subject().documents);
  });
  afterEach(() => world.close());

  describe('entries', () => {
    it('are chained in the order in which they were made, from 1 without gaps, and leave the inbox', async () => {
      await world.happen(7);
      const { entries } = await world.reader.chain(0, 100);
      expect(ids(entries)).toEqual([1, 2, 3, 4, 5, 6, 7]);
      expect(entries.map((entry) => entry.subject.name)).toEqual(
        [1, 2, 3, 4, 5, 6, 7].map((n) => `ann/tools/blast:v${n}`),
      );
      expect(entries[1]?.previous).toBe(entries[0]?.hash);
      expect((await world.inbox.scan('byTime', { limit: 1 })).items).toEqual([]);
      expect(await world.verify()).toMatchObject({
        last: { sequence: 7 },
        heads: 3,
        signedUpTo: 7,
        problems: [],
      });
    });

    it('keep their order within a millisecond', async () => {
      for (let n = 1; n <= 9; n += 1) await world.trail.record(tagSet(n));
      await world.chainer.settle();
      const { entries } = await world.reader.chain(0, 100);
      expect(entries.map((entry) => entry.subject.name.at(-1)).join('')).toBe('123456789');
    });

    it('say who, from where, what it was and what it became', async () => {
      await world.trail.record(
        tagSet(1, { action: 'tag.move', before: { digest: `sha256.${'b'.repeat(64)}` }, reason: 'why_not' }),
      );
      await world.chainer.settle();
      const { entries } = await world.reader.chain(0, 1);
      expect(entries[0]).toEqual({
        sequence: 1,
        time: '2026-11-26T10:00:00.000Z',
        service: 'library',
        action: 'tag.move',
        outcome: 'done',
        actor: {
          account: 'a'.repeat(24),
          username: 'ann',
          tokenId: '1'.repeat(24),
          originTokenId: '1'.repeat(24),
          via: null,
        },
        address: '192.0.2.7',
        client: 'sing/0.1.0',
        subject: { kind: 'tag', name: 'ann/tools/blast:v1' },
        before: { digest: `sha256.${'b'.repeat(64)}` },
        after: { digest: `sha256.${'1'.padStart(64, '0')}`, arch: 'amd64' },
        reason: 'why_not',
        previous: '0'.repeat(64),
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
    });

    it('of more than one batch are chained in several commits', async () => {
      const { documents } = subject();
      for (let from = 0; from < 250; from += 125)
        await documents.commit(Array.from({ length: 125 }, (_, n) => world.trail.write(tagSet(from + n))));
      await world.chainer.settle();
      expect(await world.verify()).toMatchObject({ last: { sequence: 250 }, heads: 1, problems: [] });
    });

    it('are there if and only if the commit is that they are in', async () => {
      const { documents } = subject();
      const refused = await documents.commit([
        world.trail.write(tagSet(1)),
        world.headRecords.write.replace('nobody', 1, { sequence: 1, hash: '0'.repeat(64) }),
      ]);
      expect(refused.ok).toBe(false);
      const done = await documents.commit([world.trail.write(tagSet(2))]);
      expect(done.ok).toBe(true);
      await world.chainer.settle();
      const { entries } = await world.reader.chain(0, 10);
      expect(entries.map((entry) => entry.subject.name)).toEqual(['ann/tools/blast:v2']);
    });

    it('that a process left in the inbox are chained by the next one, before it does anything else', async () => {
      await world.happen(4);
      await world.trail.record(tagSet(5));
      await world.trail.record(tagSet(6));
      const next = world.anotherChainer();
      await next.start();
      const report = await world.verify();
      await next.stop();
      expect(report).toMatchObject({ last: { sequence: 6 }, signedUpTo: 6, problems: [] });
      expect(world.warnings).toEqual([]);
    });

    it('whose head was not signed any more get it from the next process', async () => {
      await world.happen(3);
      const silent = { keep: async () => undefined, newest: async () => undefined };
      await world.trail.record(tagSet(4));
      const { documents, service, clock } = world;
      const { Chainer } = await import('../chainer.js');
      await new Chainer({ documents, service, clock, heads: silent, warn: () => undefined }).settle();
      expect(await world.verify()).toMatchObject({ last: { sequence: 4 }, signedUpTo: 3, problems: [] });
      const next = world.anotherChainer();
      await next.start();
      const report = await world.verify();
      await next.stop();
      expect(report).toMatchObject({ last: { sequence: 4 }, signedUpTo: 4, problems: [] });
    });
  });

  describe('several chainers at once', () => {
    it('make one chain of everything', async ({ skip }) => {
      if (!subject().atomic) skip('commits are sequential on the stand-in');
      const chainers = [world.chainer, world.anotherChainer(), world.anotherChainer()];
      const writing = Array.from({ length: 300 }, (_, n) => world.trail.record(tagSet(n)));
      const chaining = chainers.map(async (chainer) => {
        for (let round = 0; round < 10; round += 1) await chainer.settle();
      });
      await Promise.all([...writing, ...chaining]);
      await Promise.all(chainers.map((chainer) => chainer.settle()));
      const report = await world.verify();
      expect(report).toMatchObject({ last: { sequence: 300 }, signedUpTo: 300, problems: [] });
      const { entries } = await world.reader.chain(0, 500);
      expect(new Set(entries.map((entry) => entry.subject.name)).size).toBe(300);
      expect(world.warnings).toEqual([]);
    });
  });

  describe('a chainer', () => {
    it('that is told of a write has it in the chain, signed, without being asked', async () => {
      await world.chainer.start();
      const write = world.trail.write(tagSet(1));
      world.chainer.note();
      await subject().documents.commit([write]);
      await expect.poll(async () => (await world.verify()).signedUpTo).toBe(1);
      await world.chainer.stop();
    });

    it('goes on when somebody has set the head back, says so, and verification finds nothing that is not so', async () => {
      await world.happen(6);
      await world.headRecords.put('head', { sequence: 4, hash: (await world.record(4)).hash });
      await world.trail.record(tagSet(7));
      await world.chainer.settle();
      expect(world.warnings.join()).toMatch(/The audit trail ends at 4 .* signed.*scs audit verify/);
      expect(await world.verify()).toMatchObject({ last: { sequence: 7 }, problems: [] });
    });

    it('does not turn for ever when the next place in the chain is taken by something else', async () => {
      await world.happen(3);
      // A document with the id of the next entry and the number of an old one.
      await world.put(await world.record(2), '4'.padStart(15, '0'));
      await world.trail.record(tagSet(4));
      await expect(world.chainer.settle()).rejects.toThrow('something else in the database has their place');
      expect((await world.inbox.scan('byTime', { limit: 5 })).items).toHaveLength(1);
      expect((await world.verify()).problems[0]).toMatchObject({ kind: 'forked', sequence: 2 });
    });

    it('whose database ends before the newest signed head says so at the start', async () => {
      await world.happen(6);
      await world.remove(5, 6);
      await world.headRecords.put('head', { sequence: 4, hash: (await world.record(4)).hash });
      const next = world.anotherChainer();
      await next.start();
      await next.stop();
      expect(world.warnings.join()).toContain('an older backup was restored');
    });
  });

  describe('a list', () => {
    beforeEach(async () => {
      const bob = { ...tagSet(0).actor, username: 'bob' } as never;
      const events = [
        tagSet(1),
        tagSet(2, { actor: bob }),
        tagSet(3, { outcome: 'refused', reason: 'not_owner', actor: bob }),
        tagSet(4, { action: 'image.delete', subject: { kind: 'image', name: 'ann/tools/blast' } }),
        tagSet(5, { actor: null, subject: { kind: 'tag', name: 'ann/other/thing:v5' } }),
      ];
      for (const event of events) {
        world.clock.advance(1000);
        await world.trail.record(event);
      }
      await world.chainer.settle();
    });
    const listed = async (filter: AuditFilter, limit = 100) =>
      ids((await world.reader.list(filter, limit)).listed.map(({ entry }) => entry));

    it.each<[string, AuditFilter, number[]]>([
      ['nothing', {}, [5, 4, 3, 2, 1]],
      ['an actor', { actor: 'bob' }, [3, 2]],
      ['a place with all that is in it', { subject: 'ann/tools/blast' }, [4, 3, 2, 1]],
      ['one tag', { subject: 'ann/tools/blast:v2' }, [2]],
      ['an action', { action: 'image.delete' }, [4]],
      ['an outcome', { outcome: 'refused' }, [3]],
      ['an actor and a subject', { actor: 'ann', subject: 'ann/tools/blast' }, [4, 1]],
      ['a time from', { since: '2026-11-26T10:00:04.000Z' }, [5, 4]],
      ['a time until', { until: '2026-11-26T10:00:02.000Z' }, [1]],
      ['a time and an actor', { actor: 'bob', since: '2026-11-26T10:00:03.000Z' }, [3]],
    ])('can ask for %s, newest first', async (_, filter, expected) => {
      expect(await listed(filter)).toEqual(expected);
    });

    it('goes on behind a place, whatever came meanwhile', async () => {
      const first = await world.reader.list({}, 2);
      expect(ids(first.listed.map(({ entry }) => entry))).toEqual([5, 4]);
      world.clock.advance(1000);
      await world.trail.record(tagSet(6));
      await world.chainer.settle();
      const second = await world.reader.list({}, 2, first.reached);
      expect(ids(second.listed.map(({ entry }) => entry))).toEqual([3, 2]);
      const third = await world.reader.list({}, 2, second.reached);
      expect(ids(third.listed.map(({ entry }) => entry))).toEqual([1]);
      expect(third.reached).toBeUndefined();
    });
  });

  describe('what clients send', () => {
    it('is kept without tokens, cut and visible', async () => {
      const token = `eyJhbGciOiJFUzI1NiJ9.${'x'.repeat(300)}.${'y'.repeat(86)}`;
      const from = { address: '192.0.2.7', client: `evil/${token}\u001b[2J${'z'.repeat(500)}` };
      await world.trail.record(
        tagSet(1, {
          actor: { ...tagSet(0).actor, from } as never,
          subject: { kind: 'request', name: `DELETE /v1/auth/tokens/${token}`.replace(' ', ':') },
          after: { name: `my ${token}` },
        }),
      );
      await world.chainer.settle();
      const { entries } = await world.reader.chain(0, 1);
      const text = JSON.stringify(entries);
      expect(text).not.toContain('eyJ');
      expect(text).not.toContain('y'.repeat(86));
      expect(entries[0]?.client).toMatch(/^evil\/\*\*\*\?\[2Jz+$/);
      expect(entries[0]?.client?.length).toBe(200);
      expect(withoutTokens(text)).toBe(text);
      expect((await world.verify()).problems).toEqual([]);
    });
  });
}
