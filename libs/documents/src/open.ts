import { DomainError, expected } from '#libs/core';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { CheckedDocuments } from './checked-documents.js';
import type { Documents } from './port.js';

/** Makes a database that lives in a temporary folder and is removed when it is closed: for tests. */
export const TEMPORARY_DATABASE = 'sqlite::memory:';

export interface OpenOptions {
  /** The service whose database this is: the name of the SQLite file or of the MongoDB database. */
  readonly service: string;
  /** Told about what an operator should know but which stops nothing. */
  readonly log?: (message: string) => void;
}

/**
 * Opens the database of one service: `sqlite:<absolute folder>`, {@link TEMPORARY_DATABASE}, or a `mongodb://` address.
 * @throws DomainError with one sentence for whatever is in the way
 */
export async function openDocuments(url: string, options: OpenOptions): Promise<Documents> {
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(options.service))
    throw new Error(expected('the name of a service', 'openDocuments', options.service));
  if (url.startsWith('sqlite:')) return openSqlite(url, options);
  if (/^mongodb(\+srv)?:\/\//.test(url)) {
    // Loaded here, like SQLite below: a process has the library of its own database only.
    const { MongoDriver } = await import('./mongodb/driver.js');
    return new CheckedDocuments(await MongoDriver.open(url, options));
  }
  throw new DomainError(
    'bad_request',
    expected("'sqlite:<folder>' or 'mongodb://…'", 'the database address', url.replace(/\/\/.*@/, '//***@')),
    { reason: 'bad_database_url' },
  );
}

async function openSqlite(url: string, { service }: OpenOptions): Promise<Documents> {
  const { SqliteDriver } = await import('./sqlite/driver.js');
  const temporary = url === TEMPORARY_DATABASE;
  const folder = temporary
    ? await mkdtemp(join(tmpdir(), `scs-${service}-`))
    : url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '');
  if (!isAbsolute(folder))
    throw new DomainError(
      'bad_request',
      expected("'sqlite:' and an absolute folder", 'the database address', url),
      {
        reason: 'bad_database_url',
      },
    );
  return new CheckedDocuments(await SqliteDriver.open(join(folder, `${service}.sqlite`), { temporary }));
}
