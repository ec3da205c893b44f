import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError, newObjectId, systemCode } from '#libs/core';

const BYTES = 32;
const NAME = 'upload-url.key';

/**
 * The key that signs upload URLs, made at the first start. It is read by nobody but this service, and uploads under way go
 * on after a restart because it stays the same.
 * @throws DomainError `unavailable` for a file that is no such key
 */
export async function loadUploadKey(folder: string): Promise<Buffer> {
  const path = join(folder, NAME);
  const found = await readFile(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return makeKey(folder, path);
  if (found.length !== BYTES)
    throw new DomainError('unavailable', `${path} is damaged: expected ${BYTES} bytes, got ${found.length}`, {
      reason: 'bad_upload_key',
      remedy: 'Remove the file; uploads under way have to begin again.',
    });
  return found;
}

/** Whole or not at all, and only if nobody else made one meanwhile. */
async function makeKey(folder: string, path: string): Promise<Buffer> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const key = randomBytes(BYTES);
  const temporary = `${path}.${newObjectId()}`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(key);
    await file.sync();
    await link(temporary, path);
    return key;
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    return await readFile(path);
  } finally {
    await file.close();
    await rm(temporary, { force: true });
  }
}
