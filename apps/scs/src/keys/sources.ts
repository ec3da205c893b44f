import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';

/** Something with keys in it. */
export interface Source {
  /** Path as it is shown and remembered; `-` for standard input. */
  readonly name: string;
  /** Bytes; undefined where that is not known. */
  readonly size: number | undefined;
  /** Changes with the content, as far as the file system says. */
  readonly version: string;
  open(): AsyncIterable<Uint8Array>;
}

/** The files that are meant: those of folders with everything below them, in the order of their names, without hidden ones. */
export async function sourcesOf(
  { cwd, stdin, signal }: Pick<Surroundings, 'cwd' | 'signal'> & { readonly stdin: NodeJS.ReadableStream },
  names: readonly string[],
): Promise<readonly Source[]> {
  const sources: Source[] = [];
  for (const name of names) {
    if (name === '-') {
      sources.push({ name, size: undefined, version: '', open: () => stdin as AsyncIterable<Buffer> });
      continue;
    }
    for (const path of await filesOf(resolve(cwd, name))) {
      const { size, mtimeMs } = await stat(path);
      const open = () => createReadStream(path, { highWaterMark: 256 * 1024, signal });
      sources.push({ name: path, size, version: `${size} ${mtimeMs}`, open });
    }
  }
  return sources;
}

async function filesOf(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { withFileTypes: true });
  const files: string[] = [];
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) files.push(...(await filesOf(join(path, entry.name))));
    else if (entry.isFile()) files.push(join(path, entry.name));
  }
  return files;
}
