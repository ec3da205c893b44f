import type { Documents } from '#libs/documents';

/** Injection token of the auth service's own database. */
export const DATABASE = Symbol('auth database');
export type Database = Documents;
