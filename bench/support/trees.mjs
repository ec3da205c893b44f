import { execFileSync } from 'node:child_process';
import { copyFileSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A root directory with a static busybox and what a container needs; nothing else. */
export function makeTree(folder) {
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'bin'), { recursive: true });
  for (const name of ['dev', 'proc', 'sys', 'tmp', 'etc', 'var/tmp', 'root', 'home'])
    mkdirSync(join(tree, name), { recursive: true });
  copyFileSync('/bin/busybox', join(tree, 'bin/busybox'));
  for (const name of ['sh', 'true', 'cat', 'find']) symlinkSync('busybox', join(tree, 'bin', name));
  writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\n');
  return tree;
}

/** Copies files of this system into a folder until they have about so many bytes; returns how many they have. */
export function fillTree(folder, bytes) {
  let left = bytes;
  let number = 0;
  const take = (from) => {
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      if (left <= 0) return;
      const path = join(from, entry.name);
      if (entry.isDirectory()) take(path);
      else if (entry.isFile() && lstatSync(path).size <= 32 * 1024 * 1024) {
        const below = join(folder, String(Math.floor(number / 100)));
        mkdirSync(below, { recursive: true });
        copyFileSync(path, join(below, String(number)));
        number += 1;
        left -= lstatSync(path).size;
      }
    }
  };
  for (const from of ['/usr/bin', '/usr/lib', '/usr/share']) take(from);
  return bytes - left;
}

export function makeSquashfs(tree, path, compression) {
  execFileSync('mksquashfs', [tree, path, '-quiet', '-no-progress', '-comp', compression], {
    stdio: 'ignore',
  });
  return path;
}
