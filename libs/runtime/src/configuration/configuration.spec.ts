import { describe, expect, it } from 'vitest';
import { baseHost, hostOf } from '../testing/fakeHost.js';
import type { FakeFile } from '../testing/fakeHost.js';
import { builtInConfiguration, readConfiguration } from './configuration.js';
import { loadConfiguration } from './load.js';

const read = (content: string): ReturnType<typeof readConfiguration> =>
  readConfiguration(content, 'test.conf');

describe('singularity.conf', () => {
  it('without a line is the built-in configuration, but lists are empty', () => {
    expect(read('')).toEqual({ ...builtInConfiguration(), bindPaths: [] });
    expect(builtInConfiguration().bindPaths).toEqual(['/etc/localtime', '/etc/hosts']);
  });

  it('takes names in any case, the first line of a single value, and every line of a list', () => {
    const configuration = read(
      [
        '# MOUNT HOME = no',
        '  Mount   TMP = no',
        'MOUNT HOME = no',
        'mount home = yes',
        'bind path = /a, /b:/c',
        'bind path=/d',
      ].join('\n'),
    );
    expect(configuration).toMatchObject({
      mountHome: false,
      mountTmp: false,
      bindPaths: ['/a', '/b:/c', '/d'],
    });
  });

  it('ignores what nobody knows and lines of another form', () => {
    expect(read('some thing = 1\nnonsense\n[x]\nmount.home = no\n')).toEqual(read(''));
  });

  it('reads NULL as the empty list', () => {
    expect(read('bind path = NULL').bindPaths).toEqual([]);
  });

  it.each([
    ['mount dev = maybe', 'expected yes, no, minimal for "mount dev" in test.conf, got "maybe"'],
    ['mount home = 1', 'expected yes or no for "mount home"'],
    ['sessiondir max size = big', 'expected a number for "sessiondir max size"'],
  ])('%s is refused with the words that are allowed', (line, message) => {
    expect(() => read(line)).toThrow(message);
  });

  it('takes what a site may choose', () => {
    const lines = [
      'mount hostfs = yes',
      'memory fs type = ramfs',
      'root default capabilities = file',
      'enable underlay = no',
    ];
    expect(read([...lines, 'user search path = $PATH:/sbin'].join('\n'))).toMatchObject({
      mountHostfs: true,
      sessionFileSystem: 'ramfs',
      rootCapabilities: 'file',
      underlay: 'no',
      searchPath: '$PATH:/sbin',
    });
  });

  it.each(['always use nv = yes', 'always use rocm = yes', 'oci mode = yes'])(
    '%s is refused, because this version would not do it',
    (line) => {
      expect(() => read(line)).toThrow('is not offered by this version');
    },
  );
});

describe('configuration of an installation', () => {
  const CONF = '/opt/scs/etc/singularity/singularity.conf';
  const ECL = '/opt/scs/etc/singularity/ecl.toml';
  const load = (files: Readonly<Record<string, FakeFile>>, status: object = {}): unknown => {
    const host = hostOf({ ...baseHost(), files });
    const readFile: typeof host.readFile = (path, limit, links) => {
      const file = host.readFile(path, limit, links);
      return 'error' in file ? file : { ...file, status: { ...file.status, ...status } };
    };
    return loadConfiguration({ ...host, readFile }, null, '/');
  };

  it('is built in without a file', () => {
    expect(load({})).toEqual(builtInConfiguration());
  });

  it('comes from the file of the installation', () => {
    expect(load({ [CONF]: { content: 'mount home = no' } })).toMatchObject({ mountHome: false });
  });

  it.each([
    [{ mode: 0o664 }, 'must not be writable by group or others'],
    [{ mode: 0o646 }, 'must not be writable by group or others'],
    [{ uid: 1000 }, 'must be owned by root or by the owner of the installation'],
  ])('is refused with its path when its status is %j', (status, message) => {
    expect(() => load({ [CONF]: { content: '' } }, status)).toThrow(`${CONF} ${message}`);
  });

  it('is refused when something else than a file has its name', () => {
    expect(() => load({ [CONF]: 'directory' })).toThrow(`${CONF} must be a regular file`);
  });

  it('is refused when its owner is a user, although the caller is that user', () => {
    expect(() => load({ [ECL]: { content: '' } }, { uid: 1000 })).toThrow(ECL);
  });

  it.each(['activated = true', 'activated=true # on', '"activated" = true', 'activated = maybe'])(
    'with an execution control list that says %s is refused',
    (line) => {
      expect(() => load({ [ECL]: { content: `${line}\n[[execgroup]]\n` } })).toThrow(
        'execution control list',
      );
    },
  );

  it.each(['activated = false', '# activated = true', '[[execgroup]]'])(
    'with one that says %s runs',
    (line) => {
      expect(load({ [ECL]: { content: line } })).toEqual(builtInConfiguration());
    },
  );
});
