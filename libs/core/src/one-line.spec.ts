import { describe, expect, it } from 'vitest';
import { expected } from './errors.js';
import { oneLine, writtenOut } from './one-line.js';

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

it.each([
  ['plain Grüße € 林', 'plain Grüße € 林'],
  ['evil\u202egpj.exe', String.raw`evil\u{202e}gpj.exe`],
  ['\u001b[2J\u009b\u200b\u2028', String.raw`\u{1b}[2J\u{9b}\u{200b}\u{2028}`],
])('text of which all is to be seen: %j', (text, shown) => {
  expect(writtenOut(text)).toBe(shown);
});

it('a message repeats of a value nothing that steers a terminal or turns a line around, and not much of it', () => {
  const message = expected('hexadecimal digits', 'search', `0x\u202e\u009b31m\u001b[2J\n${'a'.repeat(200)}`);
  expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(message).toContain(String.raw`got "0x\u{202e}\u{9b}31m`);
  expect(message.length).toBeLessThan(140);
});
