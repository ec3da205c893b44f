import { randomBytes } from 'node:crypto';
import { link, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DomainError, fileError, systemCode } from '#libs/core';

/** Longer files are not what we wrote. */
const MAXIMUM_BYTES = 65_536;

/**
 * The text of a small file, or undefined when there is none.
 * @throws DomainError when it cannot be read; `unprocessable` when it is far too long
 */
export async function readSmallFile(file: string): Promise<string | undefined> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > MAXIMUM_BYTES)
      throw new DomainError('unprocessable', `${file} is longer than ${MAXIMUM_BYTES} bytes`, {
        reason: 'bad_key_file',
      });
    return bytes.toString('utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    // Reading a folder fails without naming it.
    if (systemCode(error) === 'EISDIR')
      throw new DomainError('unprocessable', `Expected a file at ${file}, got a folder`);
    throw fileError(error) ?? error;
  }
}

/**
 * Makes a file that appears whole or not at all, unless it is there already. Durable when this resolves.
 * @param mode 0600 unless the text may be known to others
 * @returns what the file holds: `text`, or what somebody else put there first
 */
export async function writeOnce(file: string, text: string, mode = 0o600): Promise<string> {
  const temporary = await writeTemporary(file, text, mode);
  try {
    await link(temporary, file);
    await syncFolder(dirname(file));
    return text;
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    return await readFile(file, 'utf8');
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Replaces a file as a whole; a reader sees the old text or the new one. Durable when this resolves. */
export async function writeWhole(file: string, text: string, mode = 0o600): Promise<void> {
  const temporary = await writeTemporary(file, text, mode);
  try {
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

const TEMPORARY = /\.[0-9a-f]{16}\.tmp$/;
/** Nobody takes longer to write one of these files. */
const LEFT_AFTER_MS = 60_000;

/** Removes what writes that were killed left in `folder`; one that another process is at right now is young and stays. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((one) => TEMPORARY.test(one))) {
    const file = join(folder, name);
    const age = await stat(file).then(
      (found) => Date.now() - found.mtimeMs,
      () => 0,
    );
    if (age > LEFT_AFTER_MS) await rm(file, { force: true });
  }
}

async function writeTemporary(file: string, text: string, mode: number): Promise<string> {
  const temporary = `${file}.${randomBytes(8).toString('hex')}.tmp`;
  const handle = await open(temporary, 'wx', mode);
  try {
    // The umask may have taken bits away from a public file.
    await handle.chmod(mode);
    await handle.writeFile(text);
    await handle.sync();
    return temporary;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
