import { describe, expect, it } from 'vitest';
import { added, enabled, freeStart, hasMapping, removed } from './mappings.js';

const ann = { name: 'ann', uid: 1001 };
const HIGHEST = 4294836224;

describe('mappings of --fakeroot', () => {
  it('begin at the highest block and go down over what is taken, disabled entries too', () => {
    expect(freeStart(['', ''])).toBe(HIGHEST);
    expect(freeStart([`a:${HIGHEST}:65536\n`, ''])).toBe(HIGHEST - 65536);
    expect(freeStart(['', `!a:${HIGHEST}:65536\n`])).toBe(HIGHEST - 65536);
    expect(freeStart([`a:${HIGHEST - 1}:2\n`, ''])).toBe(HIGHEST - 131072);
    expect(freeStart([`a:${HIGHEST + 65535}:1\nb:4294901760:65536\nc:x:1\n#`, ''])).toBe(HIGHEST - 65536);
    expect(() => freeStart(['a:0:4294967295\n'])).toThrow('Every block');
  });

  it('are added at the end, once', () => {
    expect(added('', ann, 7)).toBe('ann:7:65536\n');
    expect(added('bob:1:65536', ann, 7)).toBe('bob:1:65536\nann:7:65536\n');
    const there = '# x\nann:7:65536\nbroken\n';
    expect(added(there, ann, 9)).toBe(there);
    expect(added('1001:7:65536\n', ann, 9)).toBe('1001:7:65536\n');
    expect(added('ann:7:131072\n', ann, 9)).toBe('ann:7:131072\n');
    expect(added('!ann:7:65536\n', ann, 9)).toBe('ann:7:65536\n');
    expect(added('ann:7:1000\n', ann, 9)).toBe('ann:7:1000\nann:9:65536\n');
  });

  it('are disabled, enabled and removed without touching another line', () => {
    const text = '  \n#\nann:7:65536\nanna:9:65536\nann:1:5\n1001:3:65536\nx';
    expect(enabled(text, ann, false)).toBe('  \n#\n!ann:7:65536\nanna:9:65536\nann:1:5\n!1001:3:65536\nx');
    expect(enabled(enabled(text, ann, false), ann, true)).toBe(text);
    expect(removed(text, ann)).toBe('  \n#\nanna:9:65536\nann:1:5\nx');
    expect(hasMapping(text, ann)).toBe(true);
    expect(hasMapping(removed(text, ann), ann)).toBe(false);
  });
});
