import { describe, expect, it } from 'vitest';
import type { Message } from '../answer.js';
import { ACTION_FLAGS } from './actionFlags.js';
import type { Verb } from './flag.js';
import type { LaunchOptions } from './launchOptions.js';
import { plainOptions } from './launchOptions.js';
import { parseWords } from './parseWords.js';
import { readOptions } from './readOptions.js';

function read(words: readonly string[], messages: Message[] = [], verb: Verb = 'exec'): LaunchOptions {
  const { values } = parseWords(ACTION_FLAGS, words, verb);
  return readOptions(
    {
      verb,
      image: 'img',
      words: ['true'],
      values,
      messages: { level: 1, colour: false },
      configuration: null,
      environment: new Map(),
    },
    messages,
  );
}

describe('launch options', () => {
  it('of a plain command line are the plain ones', () => {
    expect(read([])).toEqual(plainOptions('img', ['true']));
  });

  it('--containall is contain, pid, ipc and cleanenv', () => {
    expect(read(['-C'])).toEqual({
      ...plainOptions('img', ['true']),
      contain: true,
      pid: true,
      ipc: true,
      cleanEnvironment: true,
    });
    expect(read(['-C', '--no-pid']).pid).toBe(false);
  });

  it('--compat is containall without shim, umask and evaluation, over a layer in memory', () => {
    expect(read(['--compat'])).toMatchObject({
      contain: true,
      pid: true,
      shim: false,
      ownUmask: false,
      evaluate: false,
      writable: 'tmpfs',
    });
  });

  it('--writable wins over --writable-tmpfs with a warning', () => {
    const messages: Message[] = [];
    expect(read(['-w', '--writable-tmpfs'], messages).writable).toBe('image');
    expect(messages.map(({ level }) => level)).toEqual(['WARNING']);
  });

  it('--hostname implies a UTS namespace', () => {
    expect(read(['--hostname', 'h.example'])).toMatchObject({ uts: true, hostname: 'h.example' });
  });

  it('--env takes one pair as it is and several separated by commas', () => {
    expect(read(['--env', 'A=1,2', '--env', 'B=1,C=2', '--env', '"D=x,y",E=']).variables).toEqual([
      { name: 'A', value: '1,2' },
      { name: 'B', value: '1' },
      { name: 'C', value: '2' },
      { name: 'D', value: 'x,y' },
      { name: 'E', value: '' },
    ]);
  });

  it('--env without = is a usage error', () => {
    expect(() => read(['--env', 'A'])).toThrow(expect.objectContaining({ exitCode: 1 }));
  });

  it.each([
    [['--hostname', 'a b'], 'invalid hostname'],
    [['--hostname', '-a'], 'invalid hostname'],
    [['--dns', '1.2.3'], 'dns ip 1.2.3 is not a valid IP address'],
    [['-n'], 'network bridge is not offered'],
    [['--net', '--network', 'none,ptp'], 'is not offered'],
    [['--cwd', 'x'], 'must be an absolute path'],
    [['-S', 'x'], 'must be an absolute path'],
    [['-H', '/a:b'], 'must be an absolute path'],
    [['-H', '/a:/b:/c'], 'for --home'],
    [['--app', '../x'], 'for --app'],
    [['--keep-privs', '--no-privs'], 'exclude each other'],
    [['--nv'], '--nv is not offered by this version'],
    [['-o', ':ro'], 'for --overlay'],
    [['--security', 'seccomp:f'], 'is not offered'],
  ])('%j is refused with status 255', (words, message) => {
    expect(() => read(words)).toThrow(expect.objectContaining({ exitCode: 255 }));
    expect(() => read(words)).toThrow(message);
  });

  it('overlays are read in their order, and a colon is the end of a path only before ro and rw', () => {
    expect(read(['-o', 'a.img:ro,/b:c', '--overlay', 'd:rw']).overlays).toEqual([
      { path: 'a.img', readOnly: true },
      { path: '/b:c', readOnly: false },
      { path: 'd', readOnly: false },
    ]);
  });

  it.each(['--cwd', '--workdir', '--app', '--hostname', '--shell', '--apply-cgroups', '--add-caps'])(
    '%s with an empty value is not given',
    (flag) => {
      expect(read([`${flag}=`])).toEqual(plainOptions('img', ['true']));
    },
  );

  it('lists may have blanks behind their commas', () => {
    expect(read(['--dns', '1.1.1.1, ::1', '--no-mount', 'home, tmp'])).toMatchObject({
      nameServers: ['1.1.1.1', '::1'],
      noMount: ['home', 'tmp'],
    });
  });

  it('a switch that is not offered may be taken back', () => {
    expect(read(['--nv=false'])).toEqual(plainOptions('img', ['true']));
  });

  it.each(['1.2.3.4', '::1', '2001:db8::1', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4'])(
    '%s is a name server',
    (server) => {
      expect(read(['--dns', server]).nameServers).toEqual([server]);
    },
  );

  it.each(['1.2.3.256', '1.2.3.4.5', '1:2:3', '1::2::3', ':1', '1:2:3:4:5:6:7:8:9', '::12345', '::1%eth0'])(
    '%s is no name server',
    (server) => {
      expect(() => read(['--dns', server])).toThrow('not a valid IP address');
    },
  );
});
