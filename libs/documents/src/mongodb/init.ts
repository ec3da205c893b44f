import { DomainError } from '#libs/core';
import { type Db, MongoServerError } from 'mongodb';
import type { DatabaseAccount, DatabaseStep, InitOptions } from '../database-accounts.js';
import { parseMongoAddress, withoutSecrets } from './address.js';
import { connectMongo, makeClient, signIn } from './connect.js';
import { mongoError } from './errors.js';

/** What a service does in its database: documents, collections and indexes, and nothing in any other one. */
const ROLE = 'readWrite';
const UNAUTHORIZED = 13;
/** Keeps the database from being empty, which for MongoDB is not being there, and shows that the user may write. */
const MARK = 'scs_init';

interface Account {
  readonly service: string;
  readonly url: string;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** The database that the user is kept in. */
  readonly home: string;
}

/** See `initDatabases`. */
export async function initMongo({ admin, accounts, dryRun }: InitOptions): Promise<readonly DatabaseStep[]> {
  const wanted = accounts.map(accountOf);
  if (admin === undefined) return wanted.map((account) => stepOf(account, 'create'));
  const administrator = await signIn(admin, 'admin').catch((error: unknown) => {
    throw aboutAdministrator(error);
  });
  const { client, place, standIn } = administrator;
  const steps: DatabaseStep[] = [];
  try {
    for (const account of wanted) {
      const home = client.db(account.home);
      const known = await isKnown(home, account.user);
      steps.push(stepOf(account, known ? 'update' : 'create'));
      if (dryRun) continue;
      await home.command({
        [known ? 'updateUser' : 'createUser']: account.user,
        pwd: account.password,
        // The stand-in of the tests knows no roles.
        roles: standIn ? [] : [{ role: ROLE, db: account.database }],
        ...(standIn ? {} : { writeConcern: { w: 'majority' } }),
      });
    }
  } catch (error) {
    throw aboutAdministrator(mongoError(error, place));
  } finally {
    await client.close();
  }
  if (!dryRun) for (const account of wanted) await prove(account, wanted);
  return steps;
}

function accountOf({ service, url }: DatabaseAccount): Account {
  const address = parseMongoAddress(url, service);
  const where = withoutSecrets(url);
  const { credentials } = makeClient(address.url, where).options;
  if (credentials === undefined || (credentials.password ?? '') === '')
    throw new DomainError('bad_request', `The address ${where} of ${service} names no user with a password`, {
      reason: 'bad_database_url',
      remedy: 'Users without a password (X.509, LDAP) are made by other means',
    });
  return {
    service,
    url,
    database: address.database,
    user: credentials.username,
    password: credentials.password ?? '',
    home: credentials.source,
  };
}

async function isKnown(home: Db, user: string): Promise<boolean> {
  const { users } = (await home.command({ usersInfo: { user, db: home.databaseName } })) as unknown as {
    readonly users: readonly unknown[];
  };
  return users.length > 0;
}

function stepOf({ service, database, user, home }: Account, change: DatabaseStep['change']): DatabaseStep {
  const verb = change === 'create' ? 'createUser' : 'updateUser';
  const roles = `roles: [{ role: "${ROLE}", db: ${JSON.stringify(database)} }]`;
  const args =
    change === 'create'
      ? `{ user: ${JSON.stringify(user)}, pwd: passwordPrompt(), ${roles} }`
      : `${JSON.stringify(user)}, { pwd: passwordPrompt(), ${roles} }`;
  const line = `db.getSiblingDB(${JSON.stringify(home)}).${verb}(${args})`;
  return { service, database, user, change, line };
}

/**
 * Signs in as the service will, writes, and looks into a database that is none of its business.
 * @throws DomainError `forbidden` where that works: the server checks no rights
 */
async function prove(account: Account, all: readonly Account[]): Promise<void> {
  const { client, db, place, standIn } = await connectMongo(account.url, { service: account.service });
  try {
    const change = { $set: { service: account.service, at: new Date().toISOString() } };
    await db.collection<{ _id: string }>(MARK).updateOne({ _id: 'init' }, change, { upsert: true });
    const other = all.find(({ database }) => database !== account.database)?.database ?? 'admin';
    if (!standIn && (await mayLookInto(client.db(other))))
      throw new DomainError('forbidden', `The user ${account.user} may also see the database ${other}`, {
        reason: 'database_without_access_control',
        remedy: 'Set security.authorization: enabled in MongoDB, and take other roles away from that user',
      });
  } catch (error) {
    throw mongoError(error, place);
  } finally {
    await client.close();
  }
}

async function mayLookInto(db: Db): Promise<boolean> {
  try {
    await db.command({ listCollections: 1, nameOnly: true });
    return true;
  } catch (error) {
    if (error instanceof MongoServerError && error.code === UNAUTHORIZED) return false;
    throw error;
  }
}

/** The sentences speak of settings of services; this address is another one. */
function aboutAdministrator(error: unknown): unknown {
  if (!(error instanceof DomainError)) return error;
  const { code, message, reason, remedy, cause } = error;
  if (reason === 'database_forbidden')
    return new DomainError('forbidden', `The administrator of the database may not make users: ${message}`, {
      reason,
      remedy: 'Name a user with the role userAdminAnyDatabase, or root',
      cause,
    });
  return new DomainError(code, message, {
    reason,
    ...(remedy === undefined
      ? {}
      : { remedy: remedy.replaceAll('SCS_DATABASE_URL', 'the address of the administrator') }),
    cause,
  });
}
