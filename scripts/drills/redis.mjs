import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { untilNothing } from '../soak/until.mjs';

/** What the guide says that the user of a service needs. */
const RIGHTS = '~bull:* ~scs:* &* +@all -@dangerous +info +client|setname +client|list';

/** A Redis with one user for each of the services that need it. */
export async function startQueue(folder) {
  mkdirSync(folder, { mode: 0o700 });
  const socket = join(folder, 'redis.sock');
  const passwords = Object.fromEntries(
    ['builder', 'worker', 'site'].map((user) => [user, randomBytes(12).toString('hex')]),
  );
  const users = ['builder', 'worker'].map((user) => `user ${user} on >${passwords[user]} ${RIGHTS}`);
  const lines = ['user default off', ...users, `user site on >${passwords.site} ~* &* +@all`, ''];
  const aclfile = join(folder, 'users.acl');
  writeFileSync(aclfile, lines.join('\n'), { mode: 0o600 });
  const options = { port: 0, unixsocket: socket, unixsocketperm: 700, dir: folder, aclfile, save: '' };
  const child = spawn(
    'redis-server',
    [
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
      '--maxmemory-policy',
      'noeviction',
    ],
    { stdio: 'ignore' },
  );
  const [error] = await Promise.race([once(child, 'error'), once(child, 'spawn')]);
  if (error !== undefined) throw new Error(`redis-server does not start: ${error.message}`);
  await untilNothing('missing Redis', async () => ((await isOpen(socket)) ? '' : 'not there yet'));
  return {
    socket,
    /** For SCS_REDIS_URL. */
    urlOf: (user) => `unix:${socket}?username=${user}&password=${passwords[user]}`,
    /** A connection as somebody has it who has the password of `user`; without one, as anybody. */
    as: (user) => {
      const redis = new Redis({
        path: socket,
        ...(user === undefined ? {} : { username: user, password: passwords[user] }),
        // The newer one begins with a password.
        protocol: 2,
        enableReadyCheck: false,
        maxRetriesPerRequest: null,
      });
      redis.on('error', () => undefined);
      return redis;
    },
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

function isOpen(socket) {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('connect', () => resolve(true)).once('error', () => resolve(false));
    connection.once('connect', () => connection.destroy());
  });
}
