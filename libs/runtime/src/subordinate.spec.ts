import { describe, expect, it } from 'vitest';
import { findSubordinate } from './subordinate.js';

const find = (...lines: readonly string[]): unknown => findSubordinate(lines.join('\n'), 'alice', 1000);
const range = (outside: number): object => ({ kind: 'range', range: { outside, count: 65536 } });

describe('/etc/subuid', () => {
  it.each([
    ['by name', ['alice:100000:65536'], 100000],
    ['by number', ['1000:200000:65536'], 200000],
    ['exact before larger', ['alice:1:131072', 'alice:300000:65536'], 300000],
    ['larger, of which 65536 are used', ['alice:400000:131072'], 400000],
    ['behind malformed lines', ['a:b', 'alice:x:65536', 'alice:1:0', '', '#', 'alice:500000:65536'], 500000],
  ])('is found %s', (_, lines, outside) => {
    expect(find(...lines)).toEqual(range(outside));
  });

  it.each([
    ['none', ['bob:1:65536']],
    ['small', ['alice:1:1000']],
    ['disabled', ['!alice:1:65536']],
    ['none', ['alice:4294967295:65536']],
    ['none', ['alice:1:65536:x']],
  ])('has %s', (kind, lines) => {
    expect(find(...lines)).toEqual({ kind });
  });
});
