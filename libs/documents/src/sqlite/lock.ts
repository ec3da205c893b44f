import { DomainError, systemCode } from '#libs/core';
import Database from 'better-sqlite3';
import { readError } from './errors.js';

/** Held for as long as a process uses a database file. */
export interface FileLock {
  release(): void;
}

/**
 * Takes the lock that lets one process at a time use a database file. The lock is that of a small SQLite file beside it
 * (a reserved transaction that never ends): the kernel lets go of it when the process dies, however it dies.
 * @throws DomainError `conflict` that names the process which has it
 */
export function lockFile(file: string): FileLock {
  const lock = new Database(`${file}.lock`, { timeout: 0 });
  try {
    lock.pragma('synchronous = OFF');
    lock.exec('CREATE TABLE IF NOT EXISTS holder (pid INTEGER)');
    lock.exec(`DELETE FROM holder; INSERT INTO holder VALUES (${process.pid})`);
    lock.exec('BEGIN IMMEDIATE');
  } catch (error) {
    const holder = holderOf(lock);
    lock.close();
    if (systemCode(error) !== 'SQLITE_BUSY') throw readError(error, `${file}.lock`);
    throw new DomainError(
      'conflict',
      `The database ${file} is in use by ${holder === undefined ? 'another process' : `process ${holder}`}`,
      {
        reason: 'database_in_use',
        remedy: 'Stop that process first; two replicas of a service need MongoDB',
        cause: error,
      },
    );
  }
  return { release: () => void lock.close() };
}

function holderOf(lock: Database.Database): number | undefined {
  try {
    return lock.prepare<[], { pid: number }>('SELECT pid FROM holder').get()?.pid;
  } catch {
    return undefined;
  }
}
