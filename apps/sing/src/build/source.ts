import { open, readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError, expected, systemCode } from '#libs/core';

/** Longest definition that is read. */
const MAXIMUM_DEFINITION = 1024 * 1024;

/** What is built. */
export interface BuildSource {
  /** Text of the definition, as it is in the file, or made for an image. */
  readonly text: string;
  readonly kind: 'definition' | 'image';
}

/**
 * Reads what `build` is asked to build: a definition file; or an image or reference, for which a definition of two lines is
 * made: "`bootstrap: <agent>\nfrom: <ref>\n\n`" (SIF contract §4.1).
 */
export async function readSource({ cwd }: Pick<Surroundings, 'cwd'>, spec: string): Promise<BuildSource> {
  const scheme = /^([a-z][a-z0-9+-]*):\/\/(.*)$/s.exec(spec);
  if (scheme?.[1] !== undefined && scheme[2] !== undefined) return made(scheme[1], scheme[2]);
  const local = /^(oci|oci-archive|docker-archive|docker-daemon):(.+)$/s.exec(spec);
  if (local?.[1] !== undefined && local[2] !== undefined) return made(local[1], resolveFrom(cwd, local[2]));
  const path = resolve(cwd, spec);
  const found = await stat(path).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new DomainError('not_found', `There is no ${path}`, {
      reason: 'no_build_source',
      remedy: 'Name a definition file, an image, a folder or library://…',
    });
  });
  if (found.isDirectory() || (await isImage(path))) return made('localimage', path);
  if (found.size > MAXIMUM_DEFINITION) {
    throw new DomainError(
      'too_large',
      expected('a definition file below 1 MiB', 'the build', `${found.size} bytes`),
    );
  }
  return { kind: 'definition', text: await readFile(path, 'utf8') };
}

function made(agent: string, from: string): BuildSource {
  if (/[\r\n]/.test(from)) throw new DomainError('bad_request', expected('one line', 'what is built', from));
  return { kind: 'image', text: `bootstrap: ${agent}\nfrom: ${from}\n\n` };
}

/** `dir[:tag]` with the folder made absolute: the build has another working directory. */
function resolveFrom(cwd: string, from: string): string {
  const [path = '', ...tag] = from.split(':');
  return [resolve(cwd, path), ...tag].join(':');
}

/** A SIF or squashfs file; definitions are text. */
async function isImage(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
    const start = buffer.subarray(0, bytesRead);
    return start.subarray(0, 4).equals(Buffer.from('hsqs')) || start.includes('SIF_MAGIC');
  } finally {
    await file.close();
  }
}
