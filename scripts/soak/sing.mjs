import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SING = new URL('../../bin/sing', import.meta.url).pathname;

/**
 * Somebody with a home and a working directory of their own, in whose SCS_HOME an instance runs.
 * @param url where the instance is reached
 */
export function singUser(folder, { url, ca, token }) {
  if (!existsSync(SING)) throw new Error('Build first: scripts/up --build-only');
  const home = join(folder, 'person');
  const work = join(folder, 'work');
  const instance = join(folder, 'instance');
  for (const path of [home, work, instance]) mkdirSync(path, { recursive: true, mode: 0o700 });
  const caFile = join(instance, 'ca.pem');
  const tokenFile = join(instance, 'token');
  writeFileSync(caFile, ca);
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const endpoint = { url, caFile, tokenFile, username: 'admin', pid: 1, version: '0' };
  writeFileSync(join(instance, 'endpoint.json'), JSON.stringify(endpoint));
  const env = { HOME: home, PATH: process.env.PATH, LANG: 'C.UTF-8', SCS_HOME: instance };
  return {
    cache: join(home, '.singularity/cache'),
    work,
    /** Starts a command. `ended` says how it ended and what it said. */
    start(...words) {
      const child = spawn(SING, words, { cwd: work, env, stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
      const ended = once(child, 'close').then(([status, signal]) => ({ status, signal, said }));
      return { ended, kill: (signal) => child.kill(signal) };
    },
  };
}
