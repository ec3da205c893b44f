import { describe, expect, it } from 'vitest';
import { DomainError } from '#libs/core';
import { EventCursors } from './cursors.js';
import { Sealed } from './sealed.js';

const key = Buffer.alloc(32, 1);

describe('places in the feed', () => {
  it('come back as they were, and never look the same twice', () => {
    const cursors = new EventCursors(key);
    const place = { sequence: 2 ** 40 + 1, time: 1_800_000_000_000 };
    const texts = new Set(Array.from({ length: 50 }, () => cursors.write(place)));
    expect(texts.size).toBe(50);
    for (const text of texts) {
      expect(text).toHaveLength(59);
      expect(cursors.read(text)).toEqual(place);
    }
  });

  it('of another key, and such as somebody has changed, are none', () => {
    const cursors = new EventCursors(key);
    const text = cursors.write({ sequence: 1, time: 1 });
    expect(() => new EventCursors(Buffer.alloc(32, 2)).read(text)).toThrow(DomainError);
    for (let at = 0; at < text.length - 1; at += 1) {
      const changed = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
      expect(() => cursors.read(changed)).toThrow('Last-Event-ID');
    }
    for (const other of ['', 'x', new Sealed(key, 'library events').seal(Buffer.from('short'))])
      expect(() => cursors.read(other)).toThrow(DomainError);
  });

  it('what was sealed for something else does not open', () => {
    const sealed = new Sealed(key, 'library webhooks');
    const text = sealed.seal(Buffer.from('secret'), 'one');
    expect(sealed.open(text, 'one')?.toString()).toBe('secret');
    expect(sealed.open(text, 'two')).toBeUndefined();
    expect(new Sealed(key, 'library events').open(text, 'one')).toBeUndefined();
  });
});
