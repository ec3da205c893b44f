import { describe, expect, it } from 'vitest';
import { baseHost, hostOf } from '../testing/fakeHost.js';
import { grantedCapabilities } from './capabilityFile.js';

const PATH = '/opt/scs/etc/singularity/capability.json';
const granted = (content: string | null, groups: readonly string[] = []): readonly string[] =>
  grantedCapabilities(
    hostOf({ ...baseHost(), files: content === null ? {} : { [PATH]: { content } } }),
    'root',
    groups,
  );

describe('capability.json', () => {
  it('grants nothing without a file, and with an empty one', () => {
    expect(granted(null)).toEqual([]);
    expect(granted('')).toEqual([]);
    expect(granted('{"users": {"david": ["CAP_CHOWN"]}}')).toEqual([]);
  });

  it('grants what user and groups have, names in any form', () => {
    const text =
      '{"users": {"root": ["CAP_SYS_RAWIO", "chown", "CAP_NOPE"]}, "groups": {"adm": ["Net_Raw"], "other": ["CAP_KILL"]}}';
    expect(granted(text, ['adm', 'wheel'])).toEqual(['CAP_SYS_RAWIO', 'CAP_CHOWN', 'CAP_NET_RAW']);
  });

  it.each([
    ['{', 'is no JSON'],
    ['{"users": {"root": "all"}}', 'something else than lists'],
    ['{"users": {"root": [1]}}', 'something else than lists'],
    ['{"users": {"root": []}, "users": {"root": ["CAP_SYS_ADMIN"]}}', 'names something twice'],
    ['{"users": {"root": [], "ro\\"t": [], "root": ["CAP_SYS_ADMIN"]}}', 'names something twice'],
    [' '.repeat(2 ** 21), 'could not read'],
  ])('is refused when it says %.40s', (content, sentence) => {
    expect(() => granted(content)).toThrow(sentence);
  });

  it('may use a name in two places', () => {
    expect(granted('{"users": {"root": ["CAP_CHOWN"]}, "groups": {"root": ["CAP_KILL"]}}', ['root'])).toEqual(
      ['CAP_CHOWN', 'CAP_KILL'],
    );
  });
});
