import type { Bytes } from '../plan.js';

const LONGEST_NAME = 128;
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-';

/** Whether an instance may be called so: `[a-zA-Z0-9._-]+` (runtime contract §1.6), but not what leads to another folder, and no longer than 128. */
export function isInstanceName(name: Bytes): boolean {
  if (name === '' || name === '.' || name === '..' || name.length > LONGEST_NAME) return false;
  for (let index = 0; index < name.length; index += 1)
    if (!LETTERS.includes(name.charAt(index))) return false;
  return true;
}
