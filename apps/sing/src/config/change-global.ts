import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError, placeFile, systemCode, withFileLock } from '#libs/core';
import { bytesOf } from '#libs/runtime';
import { configurationFolder, installation } from '../installation.js';
import { isTrustedFile } from '../trusted-file.js';
import { directiveNamed, resetDirective, setDirective, unsetDirective, valuesOf } from './directives.js';
import { oneOf } from './one-of.js';
import { template } from './template.js';

export interface GlobalFlags {
  readonly set: boolean;
  readonly unset: boolean;
  readonly get: boolean;
  readonly reset: boolean;
  readonly 'dry-run': boolean;
  readonly json: boolean;
}

/**
 * Shows or changes one directive of singularity.conf (runtime contract §3.1): that of the installation, or the one that `--config` names.
 * @throws DomainError (status 255) for an unknown directive, a value that it does not take, and callers who may not write it
 */
export async function configureGlobally(
  place: Surroundings,
  name: string,
  values: readonly string[],
  flags: GlobalFlags,
): Promise<void> {
  const what = oneOf('config global', ['set', 'unset', 'get', 'reset'], flags);
  const directive = directiveNamed(bytesOf(name));
  const given = place.globals['config'];
  const path =
    typeof given === 'string' ? resolve(place.cwd, given) : join(configurationFolder(), 'singularity.conf');
  if (what === 'get') {
    const found = valuesOf(await content(path), directive, path);
    if (flags.json) place.out.json({ values: found.map(textOf) });
    else place.out.text(Buffer.from(`${found.join(',')}\n`, 'latin1'));
    return;
  }
  const wanted = values.map(bytesOf);
  const change = (before: string): string => {
    if (what === 'reset') return resetDirective(before, directive, path);
    return (what === 'set' ? setDirective : unsetDirective)(before, directive, wanted, path);
  };
  if (flags['dry-run']) {
    place.out.text(Buffer.from(change((await content(path)) ?? template()), 'latin1'));
    return;
  }
  if (given === undefined) await refuseOthers();
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await withFileLock(`${path}.lock`, async () => {
    const after = change((await content(path)) ?? template());
    await placeFile(path, { overwrite: true, mode: 0o644 }, async (file) => {
      await file.writeFile(after, 'latin1');
      // Whatever the umask is: everybody's starts read it.
      await file.chmod(0o644);
    });
  });
}

/** The bytes of the file, one character each; undefined when there is none. */
async function content(path: string): Promise<string | undefined> {
  if (!(await isTrustedFile(path))) return undefined;
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

const textOf = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');

/** Root, or who owns an installation that is not root's. */
async function refuseOthers(): Promise<void> {
  const { folder } = installation();
  const self = process.geteuid?.() ?? 0;
  if (self === 0 || self === (await stat(folder)).uid) return;
  throw new DomainError('forbidden', 'Only root or the owner of the installation may change its rules', {
    reason: 'not_root',
    remedy: 'Rules for your own starts go into a file of your own: sing --config FILE',
  });
}
