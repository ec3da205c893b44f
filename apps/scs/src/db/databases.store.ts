/** The one way from the command line to a database; loaded when a command of this noun runs. */
export { type DatabaseStep, initDatabases } from '#libs/documents';
