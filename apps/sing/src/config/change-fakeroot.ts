import { execFile } from 'node:child_process';
import { readFile, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Surroundings } from '#libs/cli';
import { DomainError, placeFile, systemCode } from '#libs/core';
import { bytesOf } from '#libs/runtime';
import { oneOf } from './one-of.js';
import { added, enabled, freeStart, hasMapping, removed, type Who } from './mappings.js';
import { withShadowLock } from './shadow-lock.js';

const FILES = ['/etc/subuid', '/etc/subgid'] as const;

export interface FakerootFlags {
  readonly add: boolean;
  readonly remove: boolean;
  readonly enable: boolean;
  readonly disable: boolean;
}

/**
 * Changes the sub-ids of a user in /etc/subuid and /etc/subgid (runtime contract §3.7): in both or in neither.
 * @throws DomainError (status 255) for anybody but root, for a user that does not exist, and where there is nothing to change
 */
export async function configureFakeroot(
  place: Surroundings,
  name: string,
  flags: FakerootFlags,
): Promise<void> {
  const what = oneOf('config fakeroot', ['add', 'remove', 'enable', 'disable'], flags);
  if (process.geteuid?.() !== 0)
    throw new DomainError('forbidden', 'Only root may change who can use --fakeroot', {
      reason: 'not_root',
      remedy: `Ask who administers this machine, or run: sudo sing config fakeroot --${what} ${name}`,
    });
  const who = await userNamed(name);
  // In the order of shadow-utils.
  await withShadowLock(FILES[0], () =>
    withShadowLock(FILES[1], async () => {
      const before = [await content(FILES[0]), await content(FILES[1])] as const;
      const after = changed(what, before, who);
      for (const [index, path] of FILES.entries()) {
        const text = after[index] ?? '';
        if (text === before[index]) continue;
        try {
          await write(path, text);
        } catch (error) {
          // One without the other would refuse every start.
          if (index === 1) await write(FILES[0], before[0]);
          throw error;
        }
      }
      if (after[0] === before[0] && after[1] === before[1])
        place.log.info(`Nothing to change: the mapping of ${name} is as wanted already`);
    }),
  );
}

function changed(
  what: 'add' | 'remove' | 'enable' | 'disable',
  before: readonly [string, string],
  who: Who,
): readonly string[] {
  if (what === 'add') {
    const start = freeStart(before);
    return before.map((text) => added(text, who, start));
  }
  for (const [index, text] of before.entries())
    if (!hasMapping(text, who) && !(what === 'remove' && before.some((one) => hasMapping(one, who))))
      throw new DomainError('not_found', `no mapping entry found in ${FILES[index]} for ${who.name}`, {
        reason: 'no_mapping',
        exitCode: 255,
        remedy: `Give ids: sing config fakeroot --add ${who.name}`,
      });
  if (what === 'remove') return before.map((text) => removed(text, who));
  return before.map((text) => enabled(text, who, what === 'enable'));
}

/** /etc/passwd or whatever else the machine asks. */
async function userNamed(name: string): Promise<Who> {
  const unknown = (cause?: unknown) =>
    new DomainError('not_found', `There is no user ${name}`, {
      reason: 'unknown_user',
      exitCode: 255,
      cause,
    });
  if (!/^[A-Za-z0-9_][^:\s/,!]*$/.test(name)) throw unknown();
  const { stdout } = await promisify(execFile)('getent', ['passwd', name]).catch((error: unknown) => {
    throw unknown(error);
  });
  const [found = '', , uid = ''] = stdout.trimEnd().split(':');
  return { name: bytesOf(found), uid: Number(uid) };
}

async function content(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}

async function write(path: string, text: string): Promise<void> {
  // Where it is a link, that of the administrator stays.
  await placeFile(await realpath(path).catch(() => path), { overwrite: true, mode: 0o644 }, async (file) => {
    await file.writeFile(text, 'latin1');
    await file.chmod(0o644);
  });
}
