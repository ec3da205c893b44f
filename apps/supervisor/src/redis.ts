import { createHash } from 'node:crypto';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { ScsConfig } from '#libs/config';
import { DomainError, newSecret } from '#libs/core';
import type { ChildPlan } from './child.js';

/** A queue server of the instance's own: on a private unix socket, with one user and a password made for this run. */
export interface OwnRedis {
  readonly plan: ChildPlan;
  /** Holds the URL with the password; for SCS_REDIS_URL_FILE of the server process. */
  readonly urlFile: string;
}

const USER = 'scs';
/** What BullMQ needs and nothing that reads or changes the server itself. */
const RIGHTS = '~bull:* ~scs:* &* +@all -@dangerous';
const ASKING = '+info +client|setname +client|list';
/**
 * Nobody can log in as `default`. But Redis reads its append-only file as that user, and drops every transaction in it, that is
 * every job, that the user has no right to (decision 3).
 */
const users = (passwordHash: string): string =>
  `user default off ${RIGHTS}\nuser ${USER} on #${passwordHash} ${RIGHTS} ${ASKING}\n`;

/**
 * Prepares Redis as a child on a private socket.
 * @returns undefined where redis-server is not installed: remote builds are not offered then
 */
export function prepareRedis(config: ScsConfig, env: NodeJS.ProcessEnv): OwnRedis | undefined {
  const program = findProgram('redis-server', env);
  if (program === undefined) return undefined;
  const socket = join(config.runFolder, 'redis.sock');
  const data = config.dataFolder('redis');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const password = newSecret();
  const aclFile = join(config.runFolder, 'redis.acl');
  const hash = createHash('sha256').update(password).digest('hex');
  writeFileSync(aclFile, users(hash), { mode: 0o600 });
  const urlFile = join(config.runFolder, 'redis.url');
  writeFileSync(urlFile, `unix:${encodeURI(socket)}?username=${USER}&password=${password}\n`, {
    mode: 0o600,
  });
  const options = {
    port: '0',
    unixsocket: socket,
    unixsocketperm: '700',
    dir: data,
    appendonly: 'yes',
    // "everysec" may hold acknowledged jobs back for two seconds on a slow disk (decision 3).
    appendfsync: 'always',
    save: '',
    'maxmemory-policy': 'noeviction',
    aclfile: aclFile,
    logfile: join(config.logFolder, 'redis.log'),
    daemonize: 'no',
  };
  const command = [program, ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])];
  // Where the supervisor is killed, Redis must not stay behind: the kernel tells it.
  const guard = findProgram('setpriv', env);
  return {
    urlFile,
    plan: {
      name: 'redis',
      command: (guard === undefined ? command : [guard, '--pdeathsig', 'TERM', ...command]) as [string],
      env: { PATH: env.PATH, LANG: 'C' },
      ipc: false,
      ready: () => untilItAnswers(socket, password),
    },
  };
}

/** The path of a program on the PATH, or undefined. */
export function findProgram(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  return folders.map((folder) => join(folder, name)).find((file) => isExecutable(file));
}

function isExecutable(file: string): boolean {
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    return found?.isFile() === true && (found.mode & 0o111) !== 0;
  } catch {
    // A folder of the PATH that this user may not look into, as root's is after `su`.
    return false;
  }
}

const DEADLINE = 30_000;

async function untilItAnswers(socket: string, password: string): Promise<void> {
  for (const deadline = performance.now() + DEADLINE; performance.now() < deadline; await wait(15))
    if (await ping(socket, password)) return;
  throw new DomainError('unavailable', 'Redis does not answer on its socket');
}

/** RESP: log in, PING; a server that still loads its file says -LOADING. */
function ping(path: string, password: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = createConnection({ path });
    const end = (good: boolean): void => {
      socket.destroy();
      resolve(good);
    };
    socket.setTimeout(1000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.on('connect', () => socket.write(`AUTH ${USER} ${password}\r\nPING\r\n`));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (answer.includes('+PONG')) end(true);
      else if (answer.includes('\r\n-') || answer.startsWith('-')) end(false);
    });
  });
}
