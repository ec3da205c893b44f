/** The one way from the command line to a database; loaded when a command of this noun runs. */
export { initDatabases } from '#libs/documents';
