import { certificateProblem, type CertificateFault, DomainError, messageOf, systemCode } from '#libs/core';
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

const CERTIFICATES: Readonly<Record<CertificateFault, (names: string) => readonly [string, string, string]>> =
  {
    untrusted: () => [
      'comes from an authority that is not trusted',
      'database_certificate',
      'Name the authority of the database in SCS_DATABASE_CA_FILE',
    ],
    expired: () => [
      'has expired',
      'database_certificate_expired',
      'Renew it there, or set the clock of this machine',
    ],
    not_yet_valid: () => [
      'is not valid yet',
      'database_certificate_not_yet_valid',
      'Set the clock of this machine, or of that one',
    ],
    other_name: (names) => [
      `is good for other names${names === '' ? '' : ` (${names})`}`,
      'database_certificate_of_another_name',
      'Use one of its names in SCS_DATABASE_URL, or give the database a certificate with that name',
    ],
  };

/** What a server that wants to see a certificate says, by version of TLS. */
const CLIENT_CERTIFICATE =
  /^ERR_SSL_(TLSV13_ALERT_CERTIFICATE_REQUIRED|SSLV3_ALERT_(BAD|NO)_CERTIFICATE|SSL\/TLS_ALERT_BAD_CERTIFICATE)$/;

const isFailedRead = (error: unknown): error is { readonly path: string; readonly code: string } => {
  if (!(error instanceof Error) || !('syscall' in error) || error.syscall !== 'open') return false;
  return 'path' in error && typeof error.path === 'string' && systemCode(error) !== undefined;
};

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
      'Correct user, password and authSource in SCS_DATABASE_URL',
    );
  if (server?.code === 13)
    return refuse(
      `The database at ${where} does not let this user in: ${server.message}`,
      'database_forbidden',
      'Give the user in SCS_DATABASE_URL the role readWrite on that database: scs db init does it',
    );
  const certificate = chain.map(certificateProblem).find((problem) => problem !== undefined);
  if (certificate !== undefined) {
    const [why, reason, remedy] = CERTIFICATES[certificate.fault](certificate.names.join(', '));
    return refuse(`The certificate of the database at ${where} ${why} (${certificate.code})`, reason, remedy);
  }
  const unread = chain.find(isFailedRead);
  if (unread !== undefined)
    return refuse(
      `The file ${unread.path} for the database at ${where} cannot be read (${unread.code})`,
      'database_ca_file',
      'Correct SCS_DATABASE_CA_FILE, or tlsCAFile in SCS_DATABASE_URL',
    );
  if (codes.some((code) => CLIENT_CERTIFICATE.test(code)))
    return refuse(
      `The database at ${where} wants a certificate of its clients`,
      'database_wants_certificate',
      'Let it take connections without (net.tls.allowConnectionsWithoutCertificates), or name one by tlsCertificateKeyFile',
    );
  const hungUp =
    error instanceof MongoServerSelectionError && (codes.includes('ECONNRESET') || /closed|hang/.test(text));
  if (codes.some((code) => code.startsWith('ERR_SSL_')) || (tls && hungUp))
    return refuse(
      `The database at ${where} does not speak TLS (or not a version in common)`,
      'database_no_tls',
      'Turn TLS on in the database, or use its unix socket',
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
      'Add tls=true to SCS_DATABASE_URL, and name its CA in SCS_DATABASE_CA_FILE',
    );
  if (error instanceof MongoServerSelectionError || error instanceof MongoNetworkError)
    return refuse(
      `The database at ${where} does not answer: ${messageOf(error)}`,
      'database_unreachable',
      'Check that it runs and can be reached from here',
    );
  return error instanceof Error ? error : new Error(messageOf(error));
}
