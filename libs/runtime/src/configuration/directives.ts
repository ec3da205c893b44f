/**
 * The directives of singularity.conf that this version knows (runtime contract §3.1). `honoured`: the value is in Configuration. `harmless`: whatever it
 * says, leaving it out opens nothing and breaks nothing here (the reason stands beside it). `only`: no other value than the ones given works in
 * this version; a file that asks for another is refused, not ignored.
 */
export type Directive =
  | { readonly name: string; readonly type: 'switch'; readonly default: boolean; readonly use: Use<boolean> }
  | { readonly name: string; readonly type: 'number'; readonly default: number; readonly use: Use<number> }
  | {
      readonly name: string;
      readonly type: 'word';
      readonly words: readonly string[];
      readonly default: string;
      readonly use: Use<string>;
    }
  | { readonly name: string; readonly type: 'text'; readonly default: string; readonly use: Use<string> }
  | {
      readonly name: string;
      readonly type: 'list';
      readonly default: readonly string[];
      readonly use: Use<string>;
    };

type Use<T> = 'honoured' | 'harmless' | { readonly only: readonly T[] };

const yes = (name: string): Directive => ({ name, type: 'switch', default: true, use: 'honoured' });
const harmless = (name: string, value: boolean): Directive => ({
  name,
  type: 'switch',
  default: value,
  use: 'harmless',
});
const text = (name: string): Directive => ({ name, type: 'text', default: '', use: 'harmless' });
const place = (name: string): Directive => ({ name, type: 'text', default: '', use: 'honoured' });
const number = (name: string, value: number, use: Use<number> = 'harmless'): Directive => ({
  name,
  type: 'number',
  default: value,
  use,
});
const list = (name: string, use: Use<string>, value: readonly string[] = []): Directive => ({
  name,
  type: 'list',
  default: value,
  use,
});
const word = (name: string, words: readonly string[], value: string, use: Use<string>): Directive => ({
  name,
  type: 'word',
  words,
  default: value,
  use,
});

export const DIRECTIVES: readonly Directive[] = [
  yes('allow user ns'),
  yes('allow pid ns'),
  yes('allow ipc ns'),
  yes('allow uts ns'),
  yes('config passwd'),
  yes('config group'),
  yes('config resolv_conf'),
  yes('mount proc'),
  yes('mount sys'),
  word('mount dev', ['yes', 'no', 'minimal'], 'yes', 'honoured'),
  yes('mount devpts'),
  yes('mount home'),
  yes('mount tmp'),
  { name: 'mount hostfs', type: 'switch', default: false, use: 'honoured' },
  list('bind path', 'honoured', ['/etc/localtime', '/etc/hosts']),
  yes('user bind control'),
  word('enable overlay', ['yes', 'no', 'try', 'driver'], 'try', 'honoured'),
  word('enable underlay', ['yes', 'no', 'preferred'], 'yes', 'honoured'),
  yes('mount slave'),
  number('sessiondir max size', 64, 'honoured'),
  word('memory fs type', ['tmpfs', 'ramfs'], 'tmpfs', 'honoured'),
  yes('allow container sif'),
  yes('allow container squashfs'),
  yes('allow container extfs'),
  yes('allow kernel extfs'),
  yes('allow container dir'),
  yes('allow container encrypted'),
  yes('allow kernel squashfs'),
  number('max loop devices', 256, 'honoured'),
  yes('tmp sandbox'),
  place('user search path'),
  place('binary path'),
  number('image server idle', 5, 'honoured'),
  number('unpacked cache size', 20480, 'honoured'),
  word('root default capabilities', ['full', 'file', 'no'], 'full', 'honoured'),

  // Without a setuid program nobody gets more than a user namespace gives: the limits below speak of setuid mode only (§0.1 D4).
  harmless('allow setuid', true),
  list('limit container owners', 'harmless'),
  list('limit container groups', 'harmless'),
  list('limit container paths', 'harmless'),
  harmless('allow setuid-mount encrypted', true),
  text('allow setuid-mount squashfs'),
  harmless('allow setuid-mount extfs', false),
  // Grants for features that are not offered: nothing to grant.
  list('allow net users', 'harmless'),
  list('allow net groups', 'harmless'),
  list('allow net networks', 'harmless'),
  list('allow netns paths', 'harmless'),
  harmless('enable fusemount', true),
  // GPU libraries would be missing without a word.
  { name: 'always use nv', type: 'switch', default: false, use: { only: [false] } },
  { name: 'always use rocm', type: 'switch', default: false, use: { only: [false] } },
  harmless('use nvidia-container-cli', false),
  // Ways to do the same thing, helpers that are not called, and settings of other verbs.
  harmless('shared loop devices', false),
  text('cni configuration path'),
  text('cni plugin path'),
  text('cryptsetup path'),
  text('go path'),
  text('ldconfig path'),
  text('mksquashfs path'),
  text('unsquashfs path'),
  text('nvidia-container-cli path'),
  text('root search path'),
  number('mksquashfs procs', 0),
  text('mksquashfs mem'),
  number('download concurrency', 3),
  number('download part size', 5242880),
  number('download buffer size', 32768),
  harmless('systemd cgroups', true),
  harmless('sif fuse', false),
  { name: 'oci mode', type: 'switch', default: false, use: { only: [false] } },
  text('image driver'),
  text('apptheus communication socket path'),
  harmless('allow monitoring', false),
];
