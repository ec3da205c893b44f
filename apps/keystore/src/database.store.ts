import type { Documents } from '#libs/documents';

/** Injection token of the keystore's own database. */
export const DATABASE = Symbol('keystore database');
export type Database = Documents;
