import { describe, expect, it } from 'vitest';
import { oneLine } from './one-line.js';

describe('text from elsewhere as one line', () => {
  it.each([
    ['plain Grüße €', 'plain Grüße €'],
    ['a\nINFO:    b\r\n', 'a INFO:    b  '],
    ['\u001b[2J\u0007', String.raw`\x1b[2J\x07`],
    ['tab\there\u2028', 'tab here '],
    ['\u009b31m', String.raw`\x9b31m`],
  ])('%j becomes %j', (text, line) => {
    expect(oneLine(text)).toBe(line);
  });
});
