import { DomainError, messageOf, systemCode } from '#libs/core';
import { MongoNetworkError, MongoServerError, MongoServerSelectionError } from 'mongodb';

/** The error and everything that caused it, as the driver nests them. */
function* causes(error: unknown): Generator {
  for (let one = error, depth = 0; one !== undefined && one !== null && depth < 8; depth += 1) {
    yield one;
    if (one instanceof MongoServerSelectionError)
      for (const server of one.reason?.servers.values() ?? []) if (server.error) yield* causes(server.error);
    if (one instanceof AggregateError) for (const part of one.errors) yield* causes(part);
    one = one instanceof Error ? one.cause : undefined;
  }
}

const CERTIFICATE_CODES = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
]);

/** What messages say about a server: its address without secrets, and whether it is asked over TLS. */
export interface MongoPlace {
  readonly where: string;
  readonly tls: boolean;
}

/**
 * What the driver reports, as one sentence that says what is wrong.
 * What is none of these is a mistake of ours and stays as it is.
 */
export function mongoError(error: unknown, { where, tls }: MongoPlace): Error {
  if (error instanceof DomainError) return error;
  const refuse = (text: string, reason: string, remedy: string): DomainError =>
    new DomainError('unavailable', text, { reason, remedy, cause: error });
  const chain = [...causes(error)];
  const codes = chain.map(systemCode).filter((code) => code !== undefined);
  const server = chain.find((one) => one instanceof MongoServerError);
  const text = chain.map(messageOf).join('; ');

  if (server?.code === 18 || /Authentication failed/i.test(text))
    return refuse(
      `The database at ${where} does not accept the user or the password`,
      'database_password',
      'Check user, password and authSource in SCS_DATABASE_URL',
    );
  if (server?.code === 13)
    return refuse(
      `The database at ${where} does not let this user in: ${server.message}`,
      'database_forbidden',
      'Name a user with the role readWrite and dbAdmin on the database in SCS_DATABASE_URL',
    );
  const certificate = codes.find((code) => CERTIFICATE_CODES.has(code));
  if (certificate !== undefined)
    return refuse(
      `The certificate of the database at ${where} is not trusted (${certificate})`,
      'database_certificate',
      'Add tlsCAFile=<the CA of the database> to SCS_DATABASE_URL',
    );
  const hungUp =
    error instanceof MongoServerSelectionError && (codes.includes('ECONNRESET') || /closed|hang/.test(text));
  if (codes.some((code) => code.startsWith('ERR_SSL_')) || (tls && hungUp))
    return refuse(
      `The database at ${where} does not speak TLS (or not a version in common)`,
      'database_no_tls',
      'Turn TLS on in the database, or leave tls=true out where it is on this machine',
    );
  if (where.includes('.sock') && codes.some((code) => ['ENOENT', 'ECONNREFUSED'].includes(code)))
    return refuse(
      `Nobody answers on the socket ${where}: the database is not running, the socket is stale or missing`,
      'database_stale_socket',
      'Start the database',
    );
  if (codes.includes('ENOTFOUND') || codes.includes('EAI_AGAIN'))
    return refuse(
      `The host of the database ${where} is not known`,
      'database_unknown_host',
      'Check the host in SCS_DATABASE_URL',
    );
  if (codes.includes('ECONNREFUSED'))
    return refuse(
      `Nothing listens at ${where}: the database is not running, or elsewhere`,
      'database_refused',
      'Start the database, or correct SCS_DATABASE_URL',
    );
  if (hungUp)
    return refuse(
      `The database at ${where} hangs up at once: it probably takes TLS connections only`,
      'database_needs_tls',
      'Add tls=true and tlsCAFile=<its CA> to SCS_DATABASE_URL',
    );
  if (error instanceof MongoServerSelectionError || error instanceof MongoNetworkError)
    return refuse(
      `The database at ${where} does not answer: ${messageOf(error)}`,
      'database_unreachable',
      'Check that it runs and can be reached from here',
    );
  return error instanceof Error ? error : new Error(messageOf(error));
}
