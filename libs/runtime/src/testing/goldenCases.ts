import { answerCommandLine } from '../commandLine.js';
import type { Bytes } from '../plan.js';
import { baseHost, hostOf, overlayImages } from './fakeHost.js';
import type { FakeHost } from './fakeHost.js';

/** A command line on a host, whose whole answer is kept as test/fixtures/plans/<name>.json and compared in Node and in the planner's engine. */
export interface GoldenCase {
  readonly name: string;
  readonly words: readonly Bytes[];
  readonly host: FakeHost;
}

const base = baseHost();
const root: FakeHost = {
  ...base,
  identity: {
    ...base.identity,
    uid: 0,
    gid: 0,
    effectiveUid: 0,
    effectiveGid: 0,
    groups: [0],
    systemAdmin: true,
  },
  groups: { 0: 'root' },
  environment: ['HOME=/root', 'TERM=xterm'],
  workingDirectory: '/srv',
  files: { ...base.files, '/root': 'directory', '/srv': 'directory' },
};
/** A machine with overlays of every kind, an image with an overlay partition, and what serves ext3. */
const overlays: FakeHost = {
  ...base,
  files: {
    ...base.files,
    '/usr/bin/fuse2fs': { content: 'elf' },
    '/usr/bin/fuse-overlayfs': { content: 'elf' },
  },
  images: { ...base.images, ...overlayImages() },
};
const subordinate: FakeHost = {
  ...base,
  files: {
    ...base.files,
    '/etc/subuid': { content: 'alice:100000:65536\n' },
    '/etc/subgid': { content: 'alice:200000:65536\n' },
    '/usr/bin/newuidmap': { content: 'elf' },
    '/usr/bin/newgidmap': { content: 'elf' },
  },
};

const instances: FakeHost = {
  ...base,
  instances: {
    '/home/alice/.singularity/node1/alice/web': {
      image: '/img.sif',
      home: '/home/alice',
      mode: 'user',
      severalIds: false,
      boot: false,
      init: { pid: 4711, start: 815 },
      keeper: { pid: 4710, start: 814 },
    },
    '/home/alice/.singularity/node1/alice/fake': {
      image: '/img',
      home: '/root',
      mode: 'fakeroot',
      severalIds: true,
      boot: false,
      init: { pid: 4811, start: 1815 },
      keeper: { pid: 4810, start: 1814 },
    },
  },
};

export const GOLDEN_CASES: readonly GoldenCase[] = [
  { name: 'exec-directory', words: ['exec', '/img', 'true'], host: base },
  { name: 'exec-sif', words: ['exec', '/img.sif', 'ls', '-l', '/'], host: base },
  {
    name: 'exec-sif-without-fuse-or-cache',
    words: ['exec', '--disable-cache', '/img.sif', 'true'],
    host: { ...base, fuse: false },
  },
  { name: 'exec-sif-without-fuse', words: ['exec', '/img.sif', 'true'], host: { ...base, fuse: false } },
  { name: 'exec-as-root', words: ['exec', '/img.sif', 'true'], host: root },
  {
    name: 'exec-binds',
    words: ['exec', '-B', '/data:/mnt:ro,/data/file:/new', '-B', '../other:/o', '/img', 'true'],
    host: { ...base, files: { ...base.files, '/home/alice/other': 'directory' } },
  },
  { name: 'exec-contained', words: ['-q', 'exec', '-C', '-B', '/dev/kvm', '/img', 'true'], host: base },
  { name: 'exec-fakeroot', words: ['exec', '-f', '--writable-tmpfs', '/img.sif', 'id'], host: subordinate },
  { name: 'exec-fakeroot-single-id', words: ['exec', '--fakeroot', '/img', 'id'], host: base },
  {
    name: 'exec-overlays',
    words: ['exec', '-o', '/more.sqfs,/layer', '-o', '/o.img:ro', '/img.sif', 'true'],
    host: overlays,
  },
  { name: 'exec-overlay-ext3', words: ['exec', '-o', '/o.img', '/img', 'touch', '/f'], host: overlays },
  { name: 'exec-writable-sif', words: ['exec', '-w', '/overlay.sif', 'touch', '/f'], host: overlays },
  {
    name: 'exec-image-binds',
    words: ['exec', '-B', '/more.sqfs:/a:image-src=/x', '-B', '/overlay.sif:/b:id=3', '/img', 'true'],
    host: overlays,
  },
  {
    name: 'exec-workdir',
    words: ['exec', '-c', '-W', '/data', '-S', '/scratch/a', '/img', 'true'],
    host: base,
  },
  {
    name: 'exec-env-file',
    words: ['exec', '--env', 'A=1', '--env-file', '/data/vars', '/img', 'env'],
    host: { ...base, files: { ...base.files, '/data/vars': { content: "A=2\nB='x y'\n" } } },
  },
  {
    name: 'exec-site-rules',
    words: ['-d', 'exec', '/img', 'true'],
    host: {
      ...base,
      files: {
        ...base.files,
        '/opt/scs/etc/singularity/singularity.conf': {
          content: 'mount hostfs = yes\nmemory fs type = ramfs\nenable overlay = no\n',
        },
        '/proc/self/mountinfo': {
          content:
            '1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / /sh\\040ared rw - nfs x rw\n3 2 0:2 / /sh\\040ared/in rw - nfs x rw\n',
        },
        '/sh ared': 'directory',
      },
    },
  },
  {
    name: 'exec-underlay',
    words: ['exec', '--underlay', '--writable-tmpfs', '-B', '/data:/new', '/img', 'true'],
    host: base,
  },
  { name: 'exec-writable', words: ['exec', '-w', '/img', 'touch', '/f'], host: base },
  {
    name: 'exec-not-utf-8',
    words: ['exec', '-B', '/d\xe4ta:/m\xff', '/img', 'echo', '\x80\xfe', "it's"],
    host: {
      ...base,
      files: { ...base.files, '/d\xe4ta': 'directory' },
      environment: [
        ...base.environment,
        'NAME=\xc3\x28',
        'SINGULARITYENV_X=a"b\xf0$HOME',
        'APPTAINERENV_Y=\xa0',
      ],
    },
  },
  { name: 'run-sif', words: ['run', '/img.sif', 'a', 'b c'], host: base },
  {
    name: 'shell-sif',
    words: ['shell', '-s', '/bin/zsh', '/img.sif'],
    host: { ...base, terminals: [0, 1, 2] },
  },
  { name: 'test-app', words: ['test', '--app', 'foo', '/img.sif'], host: base },
  { name: 'refused-image', words: ['exec', '/nope', 'true'], host: base },
  { name: 'refused-flag', words: ['exec', '--bogus', '/img', 'true'], host: base },
  { name: 'not-offered', words: ['exec', '--nv', '/img', 'true'], host: base },
  { name: 'fetched-image', words: ['exec', 'library://a/b/c:1', 'true'], host: base },
  {
    name: 'instance-start-sif',
    words: ['instance', 'start', '--pid-file', 'web.pid', '/img.sif', 'web', '80'],
    host: base,
  },
  { name: 'instance-run-fakeroot', words: ['instance', 'run', '-f', '/img', 'x'], host: subordinate },
  { name: 'instance-start-boot', words: ['instance', 'start', '--boot', '/img', 'vm'], host: root },
  { name: 'instance-refused-name', words: ['instance', 'start', '/img', 'a/b'], host: base },
  { name: 'instance-list', words: ['instance', 'list', '-j', 'w*'], host: base },
  { name: 'instance-list-user', words: ['instance', 'list', '-l', '-u', 'alice'], host: root },
  {
    name: 'instance-stop',
    words: ['instance', 'stop', '-s', 'sigterm', '-t', '60', '--all'],
    host: { ...base, environment: [...base.environment, 'SINGULARITY_CONFIGDIR=../conf'] },
  },
  { name: 'instance-stats', words: ['instance', 'stats', '--no-stream', 'web'], host: base },
  {
    name: 'join-exec',
    words: ['exec', '-B', '/data:/mnt', '--env', 'A=1', 'instance://web', 'ps', 'aux'],
    host: instances,
  },
  { name: 'join-shell-fakeroot', words: ['shell', 'instance://fake'], host: instances },
  { name: 'join-nobody', words: ['exec', 'instance://nope', 'true'], host: instances },
  { name: 'dry-run', words: ['exec', '--dry-run', '/img', 'echo', '\xe4'], host: base },
];

/** The answer as the golden file holds it: JSON, with texts of several lines as lists of lines, so that a change can be read. */
export function goldenText(golden: GoldenCase): string {
  const lines = (_: string, value: unknown): unknown =>
    typeof value === 'string' && value.includes('\n') ? value.split('\n') : value;
  return `${JSON.stringify(answerCommandLine(golden.words, hostOf(golden.host)), lines, 2)}\n`;
}
