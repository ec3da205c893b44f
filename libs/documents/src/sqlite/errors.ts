import { DomainError, messageOf, systemCode } from '#libs/core';
import type { WriterFailure } from './messages.js';

/** What SQLite reports, as an error that a person can act on; what is a mistake of ours stays a plain error. */
export function databaseError(failure: WriterFailure, file: string): Error {
  const { code, message } = failure;
  const refuse = (text: string, reason: string, remedy?: string): DomainError =>
    new DomainError('unavailable', text, {
      reason,
      cause: failure,
      ...(remedy === undefined ? {} : { remedy }),
    });
  if (code === 'SQLITE_FULL')
    return new DomainError('out_of_space', `No space is left for the database ${file}`, { cause: failure });
  if (code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_CANTOPEN'))
    return refuse(`The disk failed under the database ${file} (${code})`, 'database_disk_failed');
  if (code.startsWith('SQLITE_READONLY'))
    return refuse(`The database ${file} cannot be written`, 'database_not_writable');
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB')
    return refuse(`The database ${file} is damaged`, 'database_damaged', 'Restore it from a backup');
  if (code === 'SQLITE_CONSTRAINT_UNIQUE')
    return new DomainError(
      'conflict',
      `The database ${file} holds documents with equal values where there may be only one: ${message}`,
      { reason: 'value_taken', cause: failure },
    );
  if (code === 'FOREIGN')
    return refuse(`${file} is a SQLite file, but not a database of this program`, 'database_foreign');
  if (code === 'NEWER')
    return refuse(
      `The database ${file} was written by a newer version`,
      'database_newer',
      'Start the newer version, or restore a backup of this one',
    );
  if (code === 'STOPPED')
    return refuse(`The database ${file} does not answer: ${message}`, 'database_stopped');
  return Object.assign(new Error(`Database ${file}: ${message}`), { code });
}

/** The same for what better-sqlite3 throws on this thread. */
export function readError(error: unknown, file: string): Error {
  return databaseError({ code: systemCode(error) ?? 'ERROR', message: messageOf(error) }, file);
}
