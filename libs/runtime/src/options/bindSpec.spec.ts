import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DomainError } from '#libs/core';
import { parseBinds, parseMounts } from './bindSpec.js';

const bind = (source: string, destination: string | null = null, readOnly = false): object => ({
  source,
  destination,
  readOnly,
});

/** Whether parsing ends with usable binds or with a sentence for status 255. */
function isAnswer(parse: typeof parseBinds, text: string): boolean {
  try {
    return parse(text).every((one) => one.source !== '' && (one.destination ?? '/').startsWith('/'));
  } catch (error) {
    return error instanceof DomainError && error.exitCode === 255;
  }
}

describe('--bind', () => {
  it.each([
    ['/a', [bind('/a')]],
    ['/a:/b', [bind('/a', '/b')]],
    ['a/b:/c/../d/', [bind('a/b', '/d')]],
    ['/a:/b:ro,/c:/d:rw,/e', [bind('/a', '/b', true), bind('/c', '/d'), bind('/e')]],
    ['/a:/b:ro,rw', [bind('/a', '/b', true)]],
    [' /a:/b, /c d:/d ,  ', [bind('/a', '/b'), bind('/c d', '/d ')]],
    ['/a:/b,ro', [bind('/a', '/b'), bind('ro')]],
    [String.raw`/t/co\:lon:/mnt`, [bind('/t/co:lon', '/mnt')]],
    ['/a^b', [bind('/a^b')]],
    ['/a,,/b,', [bind('/a'), bind('/b')]],
    ['/d\xe4:/\xff', [bind('/d\xe4', '/\xff')]],
    ['/a:/../../x', [bind('/a', '/x')]],
    ['/i:/b:image-src=/x,id=3', [{ ...bind('/i', '/b'), image: { path: '/x', object: 3 } }]],
    ['/i:/b:image-src=x/../y,/c', [{ ...bind('/i', '/b'), image: { path: '/y', object: null } }, bind('/c')]],
  ])('%s is read', (text, expected) => {
    expect(parseBinds(text)).toEqual(expected);
  });

  it.each([
    ['/a:/b:bogus', '"bogus" is not a valid bind option'],
    ['/a:/b:ro:x', 'more than three fields'],
    [':/mnt', 'has no source'],
    ['/etc:rel', 'destination must be an absolute path'],
    ['/a:', 'destination must be an absolute path'],
    ['/a:/b:image-src=', 'image-src is empty'],
    ['/a:/b:ro,id=0', 'expected the number of a partition'],
    ['/a:/b:id=x', 'expected the number of a partition'],
  ])('%s is refused with status 255', (text, message) => {
    expect(() => parseBinds(text)).toThrow(expect.objectContaining({ exitCode: 255 }));
    expect(() => parseBinds(text)).toThrow(message);
  });

  it('gives back what was put together by its grammar', () => {
    const path = fc.string({ unit: fc.constantFrom('a', 'b', '.', ' ', '\\', '=', '\xfe'), minLength: 1 });
    const element = fc.record({ source: path, destination: path, readOnly: fc.boolean() });
    fc.assert(
      fc.property(fc.array(element, { minLength: 1, maxLength: 5 }), (elements) => {
        // A backslash before the colon would be an escape of the grammar, and a blank in front of an element is none of it.
        const usable = elements.filter(
          ({ source, destination }) =>
            !source.startsWith(' ') && !source.endsWith('\\') && !destination.endsWith('\\'),
        );
        const text = usable
          .map((one) => `${one.source}:/x${one.destination}:${one.readOnly ? 'ro' : 'rw'}`)
          .join(',');
        expect(parseBinds(text)).toEqual(
          usable.map((one) => bind(one.source, `/x${one.destination}`, one.readOnly)),
        );
      }),
    );
  });

  it('never answers anything but binds or a sentence', () => {
    const wild = fc.string({ unit: fc.constantFrom('/', ':', ',', '\\', 'r', 'o', '=', '\n', '"', '\xff') });
    fc.assert(
      fc.property(wild, (text) => {
        expect([parseBinds, parseMounts].map((parse) => isAnswer(parse, text))).toEqual([true, true]);
      }),
    );
  });
});

describe('--mount', () => {
  it.each([
    ['type=bind,src=/tmp,dst=/mnt,ro', [bind('/tmp', '/mnt', true)]],
    ['src=/a,dst=/b', [bind('/a', '/b')]],
    ['type=bind,"src=/t/a,b",target=/mnt', [bind('/t/a,b', '/mnt')]],
    ['type=bind,"source=/a""q",destination=/m,readonly=false', [bind('/a"q', '/m')]],
    [
      'type=bind,src=/i,dst=/b,"image-src=/x,y",id=1',
      [{ ...bind('/i', '/b'), image: { path: '/x,y', object: 1 } }],
    ],
    ['type=bind,src=/a,dst=/b\ntype=bind,src=/c,dst=/d', [bind('/a', '/b'), bind('/c', '/d')]],
  ])('%s is read', (text, expected) => {
    expect(parseMounts(text)).toEqual(expected);
  });

  it.each([
    ['type=tmpfs,dst=/m', 'mount type must be bind'],
    ['type=bind,src=/a', 'destination is missing'],
    ['type=bind,dst=/a', 'source is missing'],
    ['type=bind,src=/a,dst=b', 'absolute'],
    ['type=bind,src=/a,dst=/b,bind-propagation=shared', 'not supported'],
    ['type=bind,src=/a,dst=/b,x=y', 'invalid key "x"'],
    ['type=bind,"src=/a,dst=/b', 'quotes do not match'],
    ['type=bind,src=/a,dst=/b,id=-1', 'expected the number of a partition'],
  ])('%s is refused', (text, message) => {
    expect(() => parseMounts(text)).toThrow(message);
  });
});
