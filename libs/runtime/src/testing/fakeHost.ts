import type {
  Account,
  FileStatus,
  Host,
  HostFailure,
  HostIdentity,
  OpenedImage,
  RunningInstance,
} from '../host.js';
import type { AbsolutePath, Bytes } from '../plan.js';

/** A host made of plain values, for tests in Node and in the planner's engine: no Node APIs here. */
export interface FakeHost {
  readonly identity: HostIdentity;
  readonly environment: readonly Bytes[];
  readonly workingDirectory: AbsolutePath | null;
  readonly files: Readonly<Record<AbsolutePath, FakeFile>>;
  readonly accounts: readonly Account[];
  readonly groups: Readonly<Record<number, Bytes>>;
  readonly images: Readonly<Record<AbsolutePath, OpenedImage>>;
  /** By `<config>/<host>/<user>/<name>`. */
  readonly instances?: Readonly<Record<string, RunningInstance | HostFailure>>;
  readonly fuse: boolean;
  readonly terminals: readonly number[];
}

/** A text is a file of root with mode 0644, `directory` a directory of root with mode 0755. */
export type FakeFile = { readonly content: Bytes } | 'directory' | 'character' | FileStatus;

const STATUS: FileStatus = {
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  device: '1',
  inode: '1',
};

/** An ordinary user on an ordinary machine with a directory image /img. Tests change one thing. */
export function baseHost(): FakeHost {
  return {
    identity: {
      uid: 1000,
      gid: 1000,
      effectiveUid: 1000,
      effectiveGid: 1000,
      groups: [1000, 27, 5000],
      systemAdmin: false,
      initialUserNamespace: true,
      umask: 0o022,
      machine: 'x86_64',
      hostName: 'node1',
    },
    environment: ['HOME=/home/alice', 'PATH=/usr/bin:/bin', 'TERM=xterm', 'LANG=en_US.UTF-8', 'USER=alice'],
    workingDirectory: '/home/alice/work',
    files: {
      '/mnt': 'directory',
      '/media': 'directory',
      '/run': 'directory',
      '/tmp': 'directory',
      '/var/tmp': 'directory',
      '/home/alice': 'directory',
      '/home/alice/work': 'directory',
      '/etc/hosts': { content: '127.0.0.1 localhost\n' },
      '/etc/localtime': { content: 'TZif' },
      '/etc/resolv.conf': { content: 'nameserver 192.0.2.1\n' },
      '/data': 'directory',
      '/data/file': { content: 'x' },
      '/dev/tty': 'character',
      '/dev/null': 'character',
      '/dev/zero': 'character',
      '/dev/random': 'character',
      '/dev/urandom': 'character',
      '/dev/kvm': 'character',
    },
    accounts: [
      {
        name: 'alice',
        uid: 1000,
        gid: 1000,
        gecos: 'Alice A',
        home: '/home/alice',
        shell: '/bin/bash',
      },
      { name: 'root', uid: 0, gid: 0, gecos: 'root', home: '/root', shell: '/bin/bash' },
    ],
    groups: { 1000: 'alice', 27: 'video' },
    images: {
      '/img': {
        handle: 7,
        path: '/img',
        status: { ...STATUS, type: 'directory', mode: 0o755, uid: 1000 },
        type: 'directory',
        partition: null,
        others: [],
        problem: null,
      },
      '/img.sif': {
        handle: 7,
        path: '/img.sif',
        status: { ...STATUS, uid: 1000, size: 40960 },
        type: 'sif',
        partition: { fileSystem: 'squashfs', offset: 36864, size: 4096, architecture: 'amd64' },
        others: [],
        problem: null,
      },
    },
    fuse: true,
    terminals: [],
  };
}

/** Images of alice for overlays and binds: a squashfs, an ext3, a directory, and a SIF with an overlay and a data partition. */
export function overlayImages(): FakeHost['images'] {
  const status = { ...STATUS, uid: 1000, size: 67108864 };
  const whole = { offset: 0, size: 67108864, architecture: null };
  const image = (
    handle: number,
    path: AbsolutePath,
    type: OpenedImage['type'],
    partition: OpenedImage['partition'],
    others: OpenedImage['others'] = [],
  ): OpenedImage => ({ handle, path, status, type, partition, others, problem: null });
  const numbered = (id: number, kind: 'overlay' | 'data', fileSystem: 'ext3' | 'squashfs') => ({
    fileSystem,
    offset: 4096 * id * 10,
    size: 8192,
    architecture: 'amd64',
    id,
    kind,
    problem: null,
  });
  return {
    '/more.sqfs': image(8, '/more.sqfs', 'squashfs', { ...whole, fileSystem: 'squashfs' }),
    '/o.img': image(9, '/o.img', 'ext3', { ...whole, fileSystem: 'ext3' }),
    '/layer': image(10, '/layer', 'directory', null),
    '/overlay.sif': image(
      11,
      '/overlay.sif',
      'sif',
      { fileSystem: 'squashfs', offset: 36864, size: 4096, architecture: 'amd64' },
      [numbered(2, 'overlay', 'ext3'), numbered(3, 'data', 'squashfs')],
    ),
  };
}

const failure = (error: string): HostFailure => ({ error, message: 'No such file or directory' });

/** The host functions over these values. */
export function hostOf(fake: FakeHost): Host {
  const find = (path: AbsolutePath): FakeFile | undefined =>
    Object.hasOwn(fake.files, path) ? fake.files[path] : undefined;
  const status = (path: AbsolutePath): FileStatus | HostFailure => {
    const file = find(path);
    if (file === undefined) return failure('ENOENT');
    if (file === 'directory' || file === 'character') return { ...STATUS, type: file, mode: 0o755 };
    return 'content' in file ? { ...STATUS, size: file.content.length } : file;
  };
  return {
    identity: () => fake.identity,
    environment: () => fake.environment,
    workingDirectory: () => fake.workingDirectory ?? failure('ENOENT'),
    installation: () => ({ root: '/opt/scs', owner: 0, version: '0.1.0' }),
    status,
    linkStatus: status,
    readLink: (path) =>
      path === '/proc/self/fd/0' && fake.terminals.includes(0) ? '/dev/pts/7' : failure('EINVAL'),
    realPath: (path) => path,
    mayAccess: (path) => find(path) !== undefined,
    readFile: (path, limit) => {
      const file = find(path);
      if (file === undefined) return failure('ENOENT');
      if (typeof file !== 'object' || !('content' in file)) return failure('EINVAL');
      if (file.content.length > limit) return failure('EFBIG');
      return { content: file.content, status: { ...STATUS, size: file.content.length } };
    },
    openImage: (path) =>
      (Object.hasOwn(fake.images, path) ? fake.images[path] : undefined) ?? failure('ENOENT'),
    account: (uid) => fake.accounts.find((account) => account.uid === uid) ?? failure('ENOENT'),
    accountNamed: (name) => fake.accounts.find((account) => account.name === name) ?? failure('ENOENT'),
    instance: (config, host, user, name) =>
      fake.instances?.[`${config}/${host}/${user}/${name}`] ?? failure('ENOENT'),
    groupNames: (gids) => gids.map((gid) => fake.groups[gid] ?? null),
    mayUseFuse: () => fake.fuse,
    isTerminal: (descriptor) => fake.terminals.includes(descriptor),
  };
}
