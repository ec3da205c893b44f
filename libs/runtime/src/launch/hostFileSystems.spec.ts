import { expect, it } from 'vitest';
import { hostFileSystems } from './hostFileSystems.js';

const line = (point: string): string => `36 35 98:0 /x ${point} rw,noatime master:1 - ext3 /dev/root rw`;

it('are the mounts below /, without those of the kernel and those below another', () => {
  const points = [
    '/',
    '/proc',
    '/sys/fs/cgroup',
    '/dev/shm',
    '/run/user/1000',
    '/boot/efi',
    '/var/lib/x',
    '/variable',
    '/scratch',
    '/scratch/a',
    '/scratchy',
    '/a\\040b\\134c',
  ];
  expect(hostFileSystems(`${points.map(line).join('\n')}\n`)).toEqual([
    '/a b\\c',
    '/scratch',
    '/scratchy',
    '/variable',
  ]);
});

it('are none of a table that says nothing', () => {
  expect(hostFileSystems('')).toEqual([]);
  expect(hostFileSystems('a b\n')).toEqual([]);
});
