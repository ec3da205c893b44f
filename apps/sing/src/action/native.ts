import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import { installation } from '../installation.js';

/** Path of the native program, which starts containers. @throws DomainError when it was not built */
export async function nativeProgram(): Promise<string> {
  const { folder } = installation();
  for (const path of [join(folder, 'bin/sing'), join(folder, 'addon/build/sing')]) {
    const usable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) return path;
  }
  throw new DomainError('unavailable', 'The native part of sing is missing, which starts containers', {
    reason: 'native_missing',
    remedy: `Build it: cd ${folder} && npm run build:native`,
  });
}

/** The words of global flags that the native program understands. */
export function globalWords(globals: Surroundings['globals']): readonly string[] {
  const words: string[] = [];
  for (const name of ['debug', 'verbose', 'quiet', 'silent', 'nocolor']) {
    if (globals[name] === true) words.push(`--${name}`);
  }
  if (typeof globals['config'] === 'string') words.push('--config', globals['config']);
  return words;
}

/** Becomes the native program: same process, same terminal, same parent. Returns only by throwing. */
export async function becomeNative(place: Surroundings, words: readonly string[]): Promise<never> {
  const program = await nativeProgram();
  if (process.execve === undefined) throw new Error('Expected a Node with process.execve');
  return process.execve(program, [program, ...globalWords(place.globals), ...words], place.env.all());
}
