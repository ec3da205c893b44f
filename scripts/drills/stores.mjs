import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { filesBelow } from './holdings.mjs';

const run = promisify(execFile);
/** Nobody's account. */
const STRANGER = '65534';

/** Commands of Redis that reach what is not the queue, or the server itself. */
const ELSEWHERE = [
  ['get', 'other:key'],
  ['set', 'other:key', '1'],
  ['del', 'other:key'],
  ['keys', '*'],
  ['flushall'],
  ['flushdb'],
  ['config', 'get', '*'],
  ['config', 'set', 'dir', '/tmp'],
  ['acl', 'list'],
  ['acl', 'setuser', 'mallory', 'on', 'nopass', '~*', '+@all'],
  ['debug', 'sleep', '0'],
  ['save'],
  ['shutdown', 'nosave'],
  ['replicaof', '127.0.0.1', '1'],
  ['module', 'load', '/tmp/x.so'],
  ['migrate', '127.0.0.1', '1', 'other:key', '0', '1'],
  ['monitor'],
];

/** Nothing of other services is open to somebody with the secrets of `service`: state folders, databases, keys of Redis. */
export async function foreignStores(world, service, { words }, attempts) {
  const own = world.of(service);
  for (const { name, home } of world.processes) {
    if (home === own.home) continue;
    attempts.same(`the folder of ${name}`, statSync(home).mode & 0o777, 0o700);
    const secret = filesBelow(home).filter((file) =>
      /\.(sqlite|key|token|password)$|service-key\.json$/.test(file),
    );
    for (const file of secret) {
      attempts.same(`the rights of ${file}`, statSync(file).mode & 0o077, 0);
      for (const { text } of words)
        attempts.same(`a word of ${service} in ${file}`, text.includes(home), false);
    }
    // Each service has an account of its own where an operator keeps them apart: as somebody else, nothing can be read.
    if (process.getuid() === 0 && secret.length > 0)
      attempts.same(`files of ${name} that others can read`, await readableByOthers(secret), '');
  }
  const users = ['builder', 'worker'].includes(service) ? [service] : [];
  for (const user of [...users, undefined]) await foreignKeys(world, user, attempts);
}

async function readableByOthers(files) {
  const program = 'for f; do [ -r "$f" ] && echo "$f"; done; true';
  const options = [
    '--reuid',
    STRANGER,
    '--regid',
    STRANGER,
    '--clear-groups',
    'sh',
    '-c',
    program,
    'sh',
    ...files,
  ];
  return (await run('setpriv', options)).stdout;
}

async function foreignKeys(world, user, attempts) {
  const site = world.queue.as('site');
  const redis = world.queue.as(user);
  try {
    await site.set('other:key', 'of somebody else');
    // Without a password the queue itself is closed as well.
    const mine = user === undefined ? [['hgetall', 'scs:jobs:build:1'], ['ping']] : [];
    for (const command of [...ELSEWHERE, ...mine]) {
      const said = await redis.call(...command).then(
        (answer) => `an answer: ${JSON.stringify(answer)}`,
        (error) => error.message,
      );
      attempts.same(
        `${command.join(' ')} in Redis as ${user ?? 'nobody'} (${said})`,
        /^(NOPERM|NOAUTH|ERR \w+ command not allowed)/.test(said),
        true,
      );
    }
    attempts.same('what others keep in Redis', await site.get('other:key'), 'of somebody else');
  } finally {
    redis.disconnect();
    site.disconnect();
  }
}

/**
 * Of builds that ended the builder keeps no rights: whoever has its database and its keys gets none.
 * @param token any token: all begin alike
 */
export function requireNoRightsKept(world, ids, token, attempts) {
  const [header] = token.split('.');
  const { home } = world.of('builder');
  const database = new Database(join(home, 'data/builder/builder.sqlite'), { readonly: true });
  for (const id of ids) {
    const { value } = database.prepare('SELECT value FROM builds WHERE id = ?').get(id);
    attempts.same(`rights that are kept of the build ${id}`, JSON.parse(value).tokens ?? '', '');
  }
  database.close();
  for (const file of filesBelow(home))
    attempts.same(`a token in ${file}`, readFileSync(file, 'latin1').includes(`${header}.`), false);
}
