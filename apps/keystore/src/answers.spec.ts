import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Answer, Answers } from './answers.js';

const answerOf = (body: string): Answer => ({
  body,
  etag: `"${body}"`,
  modified: { milliseconds: 0, text: '' },
  name: '',
});
const keep = (answers: Answers, handle: string, body: string): void =>
  answers.put(handle, answerOf(body), answers.changes);
const bodyOf = (answers: Answers, handle: string): string | undefined => answers.get(handle)?.body;

describe('finished answers', () => {
  it('are given until one of their handles is let go of', () => {
    const answers = new Answers(10_000, 1000);
    keep(answers, 'a', 'first');
    keep(answers, 'b', 'second');
    answers.forget(['a', 'c']);
    expect([bodyOf(answers, 'a'), bodyOf(answers, 'b')]).toEqual([undefined, 'second']);
  });

  it('are not kept when anything has changed since they were begun to be read', () => {
    const answers = new Answers(10_000, 1000);
    const { changes } = answers;
    answers.forget(['other']);
    answers.put('a', answerOf('stale'), changes);
    expect(answers.get('a')).toBeUndefined();
    keep(answers, 'a', 'fresh');
    expect(bodyOf(answers, 'a')).toBe('fresh');
  });

  it('stay when they are asked for, whatever else comes by', () => {
    const answers = new Answers(120_000, 2000);
    keep(answers, 'asked', 'x');
    for (let n = 0; n < 1000; n += 1) {
      keep(answers, `other${n}`, `${n} ${'y'.repeat(100)}`);
      expect(bodyOf(answers, 'asked')).toBe('x');
    }
    expect(answers.get('other0')).toBeUndefined();
    expect(answers.get('other999')).toBeDefined();
  });

  it('all stay while there is room for them', () => {
    const answers = new Answers(60_000, 2000);
    const bodies = Array.from({ length: 60 }, (_, n) => `${n} ${'y'.repeat(100)}`);
    for (const [n, body] of bodies.entries()) keep(answers, `handle${n}`, body);
    expect(bodies.map((_, n) => bodyOf(answers, `handle${n}`))).toEqual(bodies);
  });

  it('take room once, however many handles lead to them', () => {
    const answers = new Answers(20_000, 4000);
    for (let n = 0; n < 30; n += 1) keep(answers, `handle${n}`, 'x'.repeat(4000));
    expect(bodyOf(answers, 'handle0')).toBe('x'.repeat(4000));
    expect(answers.bytes).toBeLessThan(10_000);
  });

  it('are those of the time that is said: an equal text of a later change is not the same', () => {
    const answers = new Answers(20_000, 4000);
    keep(answers, 'a', 'x');
    const later = { ...answerOf('x'), modified: { milliseconds: 1, text: 'later' } };
    answers.put('b', later, answers.changes);
    expect([answers.get('a'), answers.get('b')]).toEqual([answerOf('x'), later]);
  });

  it('are none where none are to be kept, and never one that is longer than what goes together', () => {
    const none = new Answers(0);
    keep(none, 'a', '');
    expect(none.get('a')).toBeUndefined();
    const few = new Answers(20_000, 900);
    keep(few, 'large', 'x'.repeat(1000));
    expect(few.get('large')).toBeUndefined();
  });

  it('never take more than their bound, and are never what was let go of', () => {
    const handles = Array.from({ length: 26 }, (_, n) => `handle${n}`);
    const handle = fc.constantFrom(...handles);
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ put: handle, length: fc.nat(300) }) },
      { weight: 3, arbitrary: fc.record({ get: handle }) },
      { weight: 1, arbitrary: fc.record({ forget: fc.array(handle, { maxLength: 3 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const answers = new Answers(6000, 700);
        const allowed = new Map<string, Set<string>>();
        const wrong: string[] = [];
        for (const [number, one] of steps.entries()) {
          if ('put' in one) {
            const answer = `${number} ${'x'.repeat(one.length)}`;
            keep(answers, one.put, answer);
            allowed.set(one.put, (allowed.get(one.put) ?? new Set()).add(answer));
          } else if ('get' in one) {
            const answer = bodyOf(answers, one.get);
            if (answer !== undefined && allowed.get(one.get)?.has(answer) !== true) wrong.push(answer);
          } else {
            answers.forget(one.forget);
            for (const gone of one.forget) allowed.delete(gone);
          }
          if (answers.bytes > 6000) wrong.push(`${answers.bytes} bytes`);
        }
        expect(wrong).toEqual([]);
      }),
    );
  });
});
