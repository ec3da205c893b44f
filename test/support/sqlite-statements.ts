import Database from 'better-sqlite3';

/** A statement that was asked, with the values of the first time. */
export interface Asked {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

const READING = ['get', 'all', 'iterate'] as const;
type Reader = Record<(typeof READING)[number], (...parameters: unknown[]) => unknown>;

/**
 * Notes every statement by which this process reads a SQLite database that is opened from now on, once each.
 * @returns what was asked so far, and the end of it
 */
export function watchStatements(): { readonly asked: () => readonly Asked[]; stop(): void } {
  const asked = new Map<string, Asked>();
  const prototype = Database.prototype as { prepare: (this: Database.Database, sql: string) => object };
  // oxlint-disable-next-line typescript/unbound-method -- called with the database that it is asked of
  const { prepare } = prototype;
  prototype.prepare = function noted(sql) {
    const statement = prepare.call(this, sql);
    const reader = statement as Reader;
    for (const name of READING) {
      const read = reader[name].bind(statement);
      reader[name] = (...parameters) => {
        if (!asked.has(sql)) asked.set(sql, { sql, parameters });
        return read(...parameters);
      };
    }
    return statement;
  };
  return {
    asked: () => [...asked.values()],
    stop: () => {
      prototype.prepare = prepare;
    },
  };
}

/** How SQLite answers statements, by its own word: a line for each. @param file a database that may be open elsewhere */
export function plansOf(file: string, statements: readonly Asked[]): Map<string, string[]> {
  const database = new Database(file, { readonly: true });
  try {
    return new Map(
      statements.map(({ sql, parameters }) => [
        sql,
        database
          .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
          .all(...parameters)
          .map(({ detail }) => detail),
      ]),
    );
  } finally {
    database.close();
  }
}
