import type { Documents } from '#libs/documents';

/** Injection token of the builder's own database. */
export const DATABASE = Symbol('builder database');
export type Database = Documents;
