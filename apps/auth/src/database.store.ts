import type { Documents } from '#libs/documents';

/** One write of a commit, made by a store. */
export type { Write } from '#libs/documents';

/** Injection token of the auth service's own database. */
export const DATABASE = Symbol('auth database');
export type Database = Documents;
