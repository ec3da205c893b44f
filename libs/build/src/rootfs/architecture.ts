import { open } from 'node:fs/promises';
import type { RootTree } from '#libs/core';

const EI_CLASS_64 = 2;
const EI_DATA_LITTLE = 1;

/** ELF machine → GOARCH, little endian unless said. */
const MACHINES: Readonly<Record<number, string>> = {
  3: '386',
  40: 'arm',
  62: 'amd64',
  183: 'arm64',
  22: 's390x',
  243: 'riscv64',
};

/** GOARCH name of this machine. */
export function hostArchitecture(): string {
  return (
    {
      x64: 'amd64',
      ia32: '386',
      arm64: 'arm64',
      arm: 'arm',
      ppc64: 'ppc64le',
      s390x: 's390x',
      riscv64: 'riscv64',
    }[process.arch as string] ?? process.arch
  );
}

/** The GOARCH that the head of an ELF file says; undefined for anything else. */
export function elfArchitecture(head: Buffer): string | undefined {
  if (head.length < 20 || head.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const little = head[5] === EI_DATA_LITTLE;
  const machine = little ? head.readUInt16LE(18) : head.readUInt16BE(18);
  if (machine === 21) return little ? 'ppc64le' : 'ppc64';
  if (machine === 8)
    return head[4] === EI_CLASS_64 ? (little ? 'mips64le' : 'mips64') : little ? 'mipsle' : 'mips';
  return MACHINES[machine];
}

/**
 * The architecture of a root file system: that of its `/bin/sh`, else of the first program found in the usual folders, else that of
 * this machine (SIF contract §4.4).
 */
export async function detectArchitecture(tree: RootTree): Promise<string> {
  const folders = ['bin', 'usr/bin', 'sbin', 'usr/sbin', 'usr/local/bin'];
  const candidates = ['bin/sh'];
  for (const folder of folders)
    candidates.push(...(await tree.list(folder)).slice(0, 200).map((name) => `${folder}/${name}`));
  for (const path of candidates) {
    const found = elfArchitecture(await head(tree, path));
    if (found !== undefined) return found;
  }
  return hostArchitecture();
}

async function head(tree: RootTree, path: string): Promise<Buffer> {
  const stats = await tree.stat(path).catch(() => undefined);
  if (stats?.isFile() !== true) return Buffer.alloc(0);
  const file = await open(await tree.resolve(path)).catch(() => undefined);
  if (file === undefined) return Buffer.alloc(0);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(20), 0, 20, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
