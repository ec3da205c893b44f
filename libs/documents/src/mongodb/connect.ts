import { DomainError, isPrivateSocket, messageOf } from '#libs/core';
import { type Db, MongoClient, type MongoClientOptions } from 'mongodb';
import { parseMongoAddress, withoutSecrets } from './address.js';
import { mongoError, type MongoPlace } from './errors.js';

export interface Connection {
  readonly client: MongoClient;
  readonly db: Db;
  /** For messages. */
  readonly place: MongoPlace;
  /** True on the stand-in that tests use: no transactions, no partial indexes, no hints. */
  readonly standIn: boolean;
}

/** Oldest MongoDB whose transactions, partial indexes and sorted scans this program is made for. */
const OLDEST = 6;
/** How long a server is looked for, in milliseconds; `serverSelectionTimeoutMS` in the address says otherwise. */
const PATIENCE = 5_000;

/**
 * Connects and checks everything that would fail later: credentials, TLS, version, replica set.
 * @throws DomainError with one sentence
 */
export async function connectMongo(
  address: string,
  { service, log }: { readonly service: string; readonly log?: (message: string) => void },
): Promise<Connection> {
  const connection = await signIn(address, service);
  const { client, db, place, standIn } = connection;
  try {
    await checkServer(db, place.where, standIn);
    const more = await rightsElsewhere(db);
    if (more.length > 0)
      log?.(
        `The database user of ${service} has rights that it does not need (${more.join(', ')}): give each service a user of its own (scs db init)`,
      );
    return connection;
  } catch (error) {
    await client.close();
    throw mongoError(error, place);
  }
}

/**
 * Connects over a way that was checked, and signs in.
 * @param service whose connection it is; names the database where the address names none of its own
 * @throws DomainError with one sentence
 */
export async function signIn(address: string, service: string): Promise<Connection> {
  const { url, database, sequentialCommits } = parseMongoAddress(address, service);
  const where = withoutSecrets(url);
  const client = makeClient(url, where, {
    appName: `scs-${service}`,
    ...(/[?&]serverSelectionTimeoutMS=/i.test(url) ? {} : { serverSelectionTimeoutMS: PATIENCE }),
    connectTimeoutMS: PATIENCE,
    // A replica set tells its members' addresses, and the driver would go there: out of the socket, and without TLS.
    ...(/^mongodb:\/\/(?:[^@/]*@)?[^/,]*\.sock(?:[/?]|$)/.test(url) ? { directConnection: true } : {}),
    ...(sequentialCommits
      ? { maxPoolSize: 1, retryWrites: false }
      : {
          writeConcern: { w: 'majority', journal: true },
          readConcern: { level: 'majority' },
          readPreference: 'primary',
        }),
  });
  const place = { where, tls: client.options.tls };
  try {
    checkTransport(client, where);
    await client.connect();
    return { client, db: client.db(database), place, standIn: sequentialCommits };
  } catch (error) {
    await client.close();
    throw mongoError(error, place);
  }
}

/** @throws DomainError for an address that is none, without a part of the password */
export function makeClient(url: string, where: string, options: MongoClientOptions = {}): MongoClient {
  try {
    return new MongoClient(url, options);
  } catch (error) {
    // The driver does not repeat the address, but what it repeats of it could be a part of the password.
    const secret = /\/\/([^@/]*)@/.exec(url)?.[1];
    const text = messageOf(error);
    const shown =
      secret !== undefined && secret.split(':').some((part) => part !== '' && text.includes(part))
        ? 'user or password hold characters that must be percent-encoded'
        : text;
    throw new DomainError('bad_request', `The database address ${where} is not valid: ${shown}`, {
      reason: 'bad_database_url',
    });
  }
}

/**
 * Whatever leaves the process goes over TLS that is checked, and shows a password; a unix socket needs no TLS, and no password
 * where it is closed to everybody else. Settings say the same earlier and name the setting; this is what the driver made of them.
 */
function checkTransport({ options }: MongoClient, where: string): void {
  const { hosts, tls, credentials, srvHost } = options;
  const sockets = hosts.map(({ socketPath }) => socketPath).filter((path) => path !== undefined);
  const onSockets = srvHost === undefined && sockets.length === hosts.length;
  const refuse = (sentence: string, reason: string, remedy: string): DomainError =>
    new DomainError('bad_request', `The database at ${where} would be asked ${sentence}`, { reason, remedy });
  if (!onSockets && !tls)
    throw refuse(
      'without TLS',
      'database_without_tls',
      'Turn TLS on in the database and add tls=true to SCS_DATABASE_URL, or use its unix socket',
    );
  // What tlsInsecure and its like come to.
  const unchecked = options['rejectUnauthorized'] === false || options['checkServerIdentity'] !== undefined;
  if (tls && unchecked)
    throw refuse(
      'without looking at its certificate',
      'database_not_checked',
      'Leave tlsInsecure and tlsAllowInvalid… out of SCS_DATABASE_URL, and name its CA in SCS_DATABASE_CA_FILE',
    );
  if (onSockets && sockets.every(isPrivateSocket)) return;
  const { mechanism, password } = credentials ?? {};
  if (credentials === undefined || (mechanism !== 'MONGODB-X509' && (password ?? '') === ''))
    throw refuse(
      'without a password',
      'database_without_password',
      'Name a user and a password in SCS_DATABASE_URL',
    );
}

async function checkServer(db: Db, where: string, sequentialCommits: boolean): Promise<void> {
  const build = await db.command({ buildInfo: 1 });
  const standIn = 'ferretdb' in build || 'ferretdbVersion' in build;
  if (standIn !== sequentialCommits)
    throw new DomainError(
      'bad_request',
      standIn
        ? `The server at ${where} is not MongoDB and has no transactions, which this program needs`
        : `Sequential commits are for tests only; the server at ${where} has transactions`,
      { reason: 'database_without_transactions' },
    );
  // Rights show here, and not in a handshake.
  await db.listCollections({}, { nameOnly: true }).toArray();
  if (standIn) return;
  const version = String(build['version']);
  if (Number.parseInt(version, 10) < OLDEST)
    throw new DomainError('bad_request', `MongoDB ${OLDEST} or newer is needed; ${where} is ${version}`, {
      reason: 'database_too_old',
    });
  const hello = await db.command({ hello: 1 });
  if (hello['setName'] === undefined && hello['msg'] !== 'isdbgrid')
    throw new DomainError(
      'bad_request',
      `The MongoDB at ${where} is not a replica set, so it has no transactions`,
      {
        reason: 'database_without_transactions',
        remedy: 'Start it with --replSet and run rs.initiate() once; one member is enough',
      },
    );
}

/** Every service has a database and a user of its own, so that who gets at one does not get at the others. */
async function rightsElsewhere(db: Db): Promise<string[]> {
  const { authInfo } = await db.command({ connectionStatus: 1 });
  const { authenticatedUserRoles: roles = [] } = (authInfo ?? {}) as {
    authenticatedUserRoles?: readonly { readonly role: string; readonly db: string }[];
  };
  return roles
    .filter(({ role, db: where }) => where !== db.databaseName || role !== 'readWrite')
    .map(({ role, db: where }) => `${role} on ${where}`);
}
