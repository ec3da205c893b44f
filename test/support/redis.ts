import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ServerProcess, startServer } from './child.js';
import { temporaryFolder } from './temporary.js';

export interface RedisServer {
  /** For SCS_REDIS_URL: on a private socket, with user and password. */
  readonly url: string;
  readonly socket: string;
  /** With the password of somebody else. */
  readonly wrongPasswordUrl: string;
  readonly pid: number;
  /** As `kill -9` does it; the data stays. */
  kill(): Promise<void>;
  /** Starts it again on the same data, after {@link kill}. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Starts a redis-server of its own as scripts/up does: private socket, append-only file, one user with few rights. */
export async function startRedis(): Promise<RedisServer> {
  const folder = await temporaryFolder();
  const socket = join(folder.path, 'redis.sock');
  const password = randomBytes(12).toString('hex');
  const data = join(folder.path, 'data');
  await mkdir(data);
  const aclFile = join(folder.path, 'users.acl');
  // Nobody logs in as `default`, but its rights decide what of the append-only file is loaded again: Redis runs every
  // transaction in it as that user, and drops what the user may not do.
  const rights = '~bull:* ~scs:* &* +@all -@dangerous';
  await writeFile(
    aclFile,
    `user default off ${rights}\nuser scs on >${password} ${rights} +info +client|setname +client|list\n`,
    { mode: 0o600 },
  );
  const start = (): Promise<ServerProcess> =>
    startServer({
      command: 'redis-server',
      args: `--port 0 --unixsocket ${socket} --unixsocketperm 700 --dir ${data} --aclfile ${aclFile} --maxmemory-policy noeviction`
        .split(' ')
        .concat('--appendonly', 'yes', '--appendfsync', 'always', '--save', ''),
      door: { socket },
    });
  let server = await start();
  const url = (secret: string): string => `unix:${socket}?username=scs&password=${secret}`;
  return {
    url: url(password),
    socket,
    wrongPasswordUrl: url('wrong'),
    get pid() {
      return server.child.pid ?? 0;
    },
    kill: () => server.stop('SIGKILL'),
    restart: async () => {
      server = await start();
    },
    stop: async () => {
      if (server.child.exitCode === null && server.child.signalCode === null) await server.stop();
      await folder.remove();
    },
  };
}
