import { DomainError, messageOf } from '#libs/core';
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
  const { url, database, sequentialCommits } = parseMongoAddress(address, service);
  const where = withoutSecrets(url);
  const client = makeClient(url, where, {
    appName: `scs-${service}`,
    ...(/[?&]serverSelectionTimeoutMS=/i.test(url) ? {} : { serverSelectionTimeoutMS: PATIENCE }),
    connectTimeoutMS: PATIENCE,
    ...(sequentialCommits
      ? { maxPoolSize: 1, retryWrites: false }
      : {
          writeConcern: { w: 'majority', journal: true },
          readConcern: { level: 'majority' },
          readPreference: 'primary',
        }),
  });
  const { tls } = client.options;
  try {
    checkTransport(client, { url, where, log: log ?? (() => undefined) });
    await client.connect();
    const db = client.db(database);
    await checkServer(db, where, sequentialCommits);
    return { client, db, place: { where, tls }, standIn: sequentialCommits };
  } catch (error) {
    await client.close();
    throw mongoError(error, { where, tls });
  }
}

function makeClient(url: string, where: string, options: MongoClientOptions): MongoClient {
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

/** Across a network the database is asked over TLS and with a password; only an explicit tls=false says otherwise. */
function checkTransport(
  client: MongoClient,
  { url, where, log }: { url: string; where: string; log: (message: string) => void },
): void {
  const { hosts, tls, credentials, srvHost } = client.options;
  const remote =
    srvHost !== undefined ||
    hosts.some(
      ({ host, socketPath }) =>
        socketPath === undefined && !/^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host ?? ''),
    );
  if (!remote) return;
  if (!tls) {
    if (!/[?&](tls|ssl)=false/.test(url))
      throw new DomainError('bad_request', `The database at ${where} would be asked without TLS`, {
        reason: 'database_without_tls',
        remedy: 'Add tls=true to SCS_DATABASE_URL (or tls=false if nobody can listen on that network)',
      });
    log(`The database at ${where} is asked without TLS, as its address says (tls=false)`);
  }
  if (credentials === undefined)
    throw new DomainError('bad_request', `The database at ${where} would be asked without a password`, {
      reason: 'database_without_password',
      remedy: 'Name a user and a password in SCS_DATABASE_URL',
    });
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
