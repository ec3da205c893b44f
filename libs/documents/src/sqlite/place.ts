import { DomainError } from '#libs/core';
import { mkdir, open, readFile, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Magic numbers of file systems whose locks or memory maps reach across machines (statfs(2)). */
const NETWORK_MAGIC: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9p'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
  [0x73757245, 'Coda'],
  [0x7461636f, 'OCFS2'],
  [0x01161970, 'GFS2'],
  [0x20030528, 'OrangeFS'],
  [0xaad7aaea, 'PanFS'],
]);
const FUSE_MAGIC = 0x65735546;
/** FUSE has one number for everything; its sub-type in mountinfo says what is behind it. */
const NETWORK_FUSE =
  /^fuse\.(sshfs|s3fs|glusterfs|gluster|goofys|rclone|gcsfuse|ceph-fuse|ceph|davfs|hdfs|curlftpfs|juicefs|mfs|moosefs|lizardfs|smbnetfs|grpcfuse|osxfs)/;

/**
 * The name of the network file system that `folder` lies on, or undefined when it is a local one.
 * `magic` is statfs's type; `mountinfo` the text of /proc/self/mountinfo.
 */
export function networkFileSystem(folder: string, magic: number, mountinfo: string): string | undefined {
  const known = NETWORK_MAGIC.get(magic >>> 0);
  if (known !== undefined) return known;
  if (magic >>> 0 !== FUSE_MAGIC) return undefined;
  let best = { point: '', type: '' };
  for (const line of mountinfo.split('\n')) {
    const words = line.split(' ');
    const point = (words[4] ?? '').replaceAll('\\040', ' ');
    const type = words[words.indexOf('-') + 1] ?? '';
    const inside = folder === point || folder.startsWith(point.endsWith('/') ? point : `${point}/`);
    if (inside && point.length >= best.point.length) best = { point, type };
  }
  return NETWORK_FUSE.test(best.type) ? best.type : undefined;
}

/**
 * Makes the place of a database file: its folder (0700) and the file itself (0600, so that WAL and shared memory are too).
 * @throws DomainError `unavailable` when the folder cannot be written or lies on a network file system
 */
export async function preparePlace(file: string): Promise<void> {
  const folder = dirname(file);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { type } = await statfs(folder);
    const mountinfo = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
    const network = networkFileSystem(folder, type, mountinfo);
    if (network !== undefined)
      throw new DomainError(
        'unavailable',
        `The database folder ${folder} is on a network file system (${network}), where SQLite loses data`,
        {
          reason: 'network_file_system',
          remedy: 'Put it on a local disk, or use MongoDB (SCS_DATABASE_URL=mongodb://…)',
        },
      );
    await (await open(file, 'a', 0o600)).close();
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError(
      'unavailable',
      `The database ${file} cannot be made: ${error instanceof Error ? error.message : String(error)}`,
      { reason: 'database_not_writable', cause: error },
    );
  }
}
