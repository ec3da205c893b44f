import { describe, expect, it } from 'vitest';
import { networkFileSystem } from './place.js';

const FUSE = 0x65735546;
const mounts = [
  '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
  '30 22 0:30 / /mnt/far rw - fuse.sshfs me@host:/data rw,user_id=0',
  '31 22 0:31 / /mnt/near rw - fuse.fuse-overlayfs overlay rw',
  '32 30 254:1 / /mnt/far/local rw - fuseblk /dev/sdb1 rw',
  '33 22 0:33 / /mnt/with\\040space rw - fuse.s3fs bucket rw',
].join('\n');

describe('a folder for a database', () => {
  it.each([
    ['ext4', 0xef53, undefined],
    ['tmpfs', 0x01021994, undefined],
    ['overlayfs', 0x794c7630, undefined],
    ['NFS', 0x6969, 'NFS'],
    ['CIFS', 0xff534d42 | 0, 'CIFS'],
    ['Lustre', 0x0bd00bd0, 'Lustre'],
    ['9p', 0x01021997, '9p'],
  ])('on %s', (_, magic, answer) => {
    expect(networkFileSystem('/data', magic, mounts)).toBe(answer);
  });

  it.each([
    ['/mnt/far/data', 'fuse.sshfs'],
    ['/mnt/far', 'fuse.sshfs'],
    ['/mnt/farther', undefined],
    ['/mnt/far/local/data', undefined],
    ['/mnt/near/data', undefined],
    ['/mnt/with space/data', 'fuse.s3fs'],
  ])('on FUSE is what the mount below it is: %s', (folder, answer) => {
    expect(networkFileSystem(folder, FUSE, mounts)).toBe(answer);
  });
});
