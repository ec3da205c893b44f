import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { Binary, type Document } from 'mongodb';
import type { FakeAnswer } from './fake-mongo.js';

/** A user as a MongoDB keeps it: for the far end of the driver, which has no server behind it. */
export interface FakeUser {
  readonly password: string;
  readonly roles: readonly { readonly role: string; readonly db: string }[];
}

interface Conversation {
  readonly user: string;
  readonly first: string;
  readonly nonce: string;
  readonly salt: Buffer;
}

const ITERATIONS = 4096;
const OPEN = /^(hello|ismaster|saslStart|saslContinue|buildInfo|ping|connectionStatus|endSessions)$/i;

/**
 * Users, sign-in (SCRAM-SHA-256, RFC 7677) and rights as far as `scs db init` needs them: `usersInfo`, `createUser`,
 * `updateUser`, and "not authorized" for a command on a database where the user of the connection has no role. Whoever comes
 * over a socket without signing in is the administrator, unless `closed`.
 * @param users by `<database>.<user>`, changed by the commands
 */
export function withUsers(
  users: Map<string, FakeUser>,
  { checksRights = true }: { readonly checksRights?: boolean } = {},
): FakeAnswer {
  const conversations = new WeakMap<object, Conversation>();
  const signedIn = new WeakMap<object, FakeUser>();
  return (command, _commands, connection) => {
    const [name = ''] = Object.keys(command);
    const database = String(command['$db']);
    const user = signedIn.get(connection);
    if (/^(hello|ismaster)$/i.test(name) && 'saslSupportedMechs' in command)
      return { ...HELLO, saslSupportedMechs: ['SCRAM-SHA-256'] };
    if (name === 'saslStart') return start(users, conversations, connection, command, database);
    if (name === 'saslContinue') return proceed(users, conversations, signedIn, connection, command);
    if (name === 'connectionStatus')
      return { ok: 1, authInfo: { authenticatedUserRoles: user?.roles ?? [] } };
    if (OPEN.test(name) || user === undefined) return manage(users, name, command, database);
    const allowed = user.roles.some(({ db }) => db === database);
    if (checksRights && !allowed)
      return refusal(13, `not authorized on ${database} to execute command ${name}`);
    return manage(users, name, command, database);
  };
}

function manage(
  users: Map<string, FakeUser>,
  name: string,
  command: Document,
  database: string,
): Document | undefined {
  const key = `${database}.${String(command[name])}`;
  switch (name) {
    case 'usersInfo': {
      const { user, db } = command['usersInfo'] as { user: string; db: string };
      return { ok: 1, users: users.has(`${db}.${user}`) ? [{ user, db }] : [] };
    }
    case 'createUser':
    case 'updateUser':
      if (users.has(key) !== (name === 'updateUser'))
        return refusal(name === 'createUser' ? 51_003 : 11, `${name}: ${key}`);
      users.set(key, { password: String(command['pwd']), roles: command['roles'] as FakeUser['roles'] });
      return { ok: 1 };
    default:
      return undefined;
  }
}

const refusal = (code: number, errmsg: string): Document => ({ ok: 0, code, errmsg });
const denied = refusal(18, 'Authentication failed.');
const hmac = (key: Buffer, text: string | Buffer): Buffer => createHmac('sha256', key).update(text).digest();

function start(
  users: Map<string, FakeUser>,
  conversations: WeakMap<object, Conversation>,
  connection: object,
  command: Document,
  database: string,
): Document {
  const first = textOf(command['payload']).replace(/^n,,/, '');
  const [, user = '', clientNonce = ''] = /^n=([^,]*),r=(.*)$/.exec(first) ?? [];
  if (command['mechanism'] !== 'SCRAM-SHA-256' || !users.has(`${database}.${user}`)) return denied;
  const conversation = {
    user: `${database}.${user}`,
    first,
    nonce: `${clientNonce}${randomBytes(12).toString('base64')}`,
    salt: randomBytes(28),
  };
  conversations.set(connection, conversation);
  return answer(serverFirst(conversation), false);
}

const serverFirst = ({ nonce, salt }: Conversation): string =>
  `r=${nonce},s=${salt.toString('base64')},i=${ITERATIONS}`;

function proceed(
  users: Map<string, FakeUser>,
  conversations: WeakMap<object, Conversation>,
  signedIn: WeakMap<object, FakeUser>,
  connection: object,
  command: Document,
): Document {
  const conversation = conversations.get(connection);
  const user = users.get(conversation?.user ?? '');
  const [, bare = '', proof = ''] = /^(.*),p=(.*)$/.exec(textOf(command['payload'])) ?? [];
  if (conversation === undefined || user === undefined) return denied;
  const salted = pbkdf2Sync(user.password, conversation.salt, ITERATIONS, 32, 'sha256');
  const message = [conversation.first, serverFirst(conversation), bare].join(',');
  const clientKey = hmac(salted, 'Client Key');
  const signature = hmac(createHash('sha256').update(clientKey).digest(), message);
  const expected = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
  const shown = Buffer.from(proof, 'base64');
  if (shown.length !== expected.length || !timingSafeEqual(shown, expected)) return denied;
  signedIn.set(connection, user);
  return answer(`v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`, true);
}

function answer(payload: string, done: boolean): Document {
  return { ok: 1, conversationId: 1, done, payload: new Binary(Buffer.from(payload)) };
}

function textOf(payload: unknown): string {
  return payload instanceof Binary ? Buffer.from(payload.buffer).toString('utf8') : '';
}

const HELLO = {
  helloOk: true,
  ismaster: true,
  isWritablePrimary: true,
  setName: 'rs',
  setVersion: 1,
  logicalSessionTimeoutMinutes: 30,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  minWireVersion: 0,
  maxWireVersion: 21,
  ok: 1,
};
