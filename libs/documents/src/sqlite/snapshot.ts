import type Database from 'better-sqlite3';

/**
 * The read transaction of a connection, kept open from one read to the next: to begin and end one costs more than to read a
 * document. It shows the file as it was when it began, so it may only be held while nobody writes; and it keeps the log of a
 * WAL database from being emptied, so it is released before somebody does.
 */
export class Snapshot {
  readonly #connection: Database.Database;
  readonly #begin: Database.Statement;
  readonly #end: Database.Statement;
  #held = false;

  constructor(connection: Database.Database) {
    this.#connection = connection;
    this.#begin = connection.prepare('BEGIN');
    this.#end = connection.prepare('ROLLBACK');
  }

  /** Until it is released, reads see one state of the file: the newest when the first of them is made. */
  hold(): void {
    if (this.#held) return;
    this.#begin.run();
    this.#held = true;
  }

  /** From here on every read sees what is committed when it is made. Never throws: it is also called after an error. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    // SQLite has ended it already after some errors.
    if (this.#connection.inTransaction) this.#end.run();
  }
}
