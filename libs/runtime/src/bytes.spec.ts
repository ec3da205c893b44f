import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf, bytesOfMixed, isBytes, isVariableName, parseCount, trimBytes } from './bytes.js';

describe('byte strings', () => {
  it('hold the UTF-8 bytes of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(bytesOf(text)).toBe(Buffer.from(text, 'utf8').toString('latin1'));
      }),
    );
  });

  it('are left as they are inside a message, whose other characters become UTF-8', () => {
    expect(bytesOfMixed('path \xff is…')).toBe('path \xff is\xe2\x80\xa6');
  });

  it('contain neither U+0000 nor anything above U+00FF', () => {
    expect([isBytes('\x01\xff'), isBytes('a\0b'), isBytes('\u0100')]).toEqual([true, false, false]);
  });

  it('are trimmed without touching the byte A0', () => {
    expect(trimBytes(' \t\xa0x\xa0\r\n')).toBe('\xa0x\xa0');
  });

  it('that are whole numbers are read exactly, others not at all', () => {
    expect(['0', '65536', '999999999999999'].map(parseCount)).toEqual([0, 65536, 999999999999999]);
    expect(['', '-1', '1.0', '1e3', ' 1', '1000000000000000'].map(parseCount)).toEqual(Array(6).fill(null));
  });

  it('are variable names only when a shell could assign them', () => {
    expect(['A', '_a9', 'BASH_FUNC_x%%', '9a', '', 'a-b', 'é'].map(isVariableName)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});
