import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { loadConfig, prepareHome, type ScsConfig, type ServerMessage } from '#libs/config';
import { DomainError } from '#libs/core';
import { buildOf } from './build.js';
import { askStatus, type ControlStatus } from './control.js';
import { findProgram } from './redis.js';
import { asError } from './messages.js';
import { alreadyRunning, summary } from './summary.js';

/** flock(1) ends with this status when somebody else holds the lock. */
const TAKEN = 75;
const PATIENCE = 60_000;
/** It waits nearly all the time: without a compiler and with a small heap it takes 12 MB less. */
const SUPERVISOR_FLAGS = ['--jitless', '--max-semi-space-size=1'];

/**
 * Starts an instance in the background and waits until it works, or says that it runs already.
 * @throws DomainError with the sentence of whatever did not work
 */
export async function start(env: NodeJS.ProcessEnv, main: string): Promise<void> {
  const config = loadConfig(env);
  prepareHome(config);
  const known = await askStatus(config);
  if (known !== undefined) return sayRunning(config, await untilRunning(config, known));
  const outcome = await launch(config, env, main);
  if (outcome === 'taken') return sayRunning(config, await untilRunning(config, undefined));
  const status = await askStatus(config);
  process.stdout.write(summary(config, status?.state === 'running' ? status.notes : []));
  if (outcome.failing.length > 0)
    throw new DomainError('unavailable', `It runs, but does not work yet: ${outcome.failing.join(', ')}`, {
      remedy: `${config.logFolder} says why; ${config.publicUrl}/readyz says when it does.`,
    });
}

/**
 * Replaces this process by the supervisor, for process managers.
 * @throws DomainError when flock is missing
 */
export async function startInForeground(env: NodeJS.ProcessEnv, main: string): Promise<void> {
  const config = loadConfig(env);
  prepareHome(config);
  const known = await askStatus(config);
  if (known !== undefined) return sayRunning(config, await untilRunning(config, known));
  const [program, ...args] = lockedCommand(config, env, [main, 'run', '--foreground']);
  process.execve?.(program, [program, ...args], definedOnly(env));
}

function lockedCommand(
  config: ScsConfig,
  env: NodeJS.ProcessEnv,
  args: readonly string[],
): [string, ...string[]] {
  const flock = findProgram('flock', env);
  if (flock === undefined)
    throw new DomainError('unprocessable', 'The program flock is missing', {
      remedy: 'Debian, Ubuntu: apt-get install util-linux',
    });
  const lock = join(config.runFolder, 'lock');
  // The kernel lets go of the lock when the supervisor ends, however that happens.
  return [
    flock,
    '--nonblock',
    '--conflict-exit-code',
    String(TAKEN),
    '--no-fork',
    lock,
    process.execPath,
    ...SUPERVISOR_FLAGS,
    ...args,
  ];
}

function launch(
  config: ScsConfig,
  env: NodeJS.ProcessEnv,
  main: string,
): Promise<Extract<ServerMessage, { type: 'ready' }> | 'taken'> {
  const [program, ...args] = lockedCommand(config, env, [main, 'run']);
  const output = openSync(join(config.logFolder, 'supervisor.err'), 'a', 0o600);
  const child = spawn(program, args, { env, detached: true, stdio: ['ignore', output, output, 'ipc'] });
  closeSync(output);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === TAKEN) resolve('taken');
      else
        reject(
          new DomainError('internal', `The supervisor ended (${signal ?? `status ${code}`})`, {
            remedy: `See ${config.logFolder}`,
          }),
        );
    });
    child.once('message', (message: ServerMessage) => {
      child.removeAllListeners('exit').unref();
      if (message.type === 'ready') resolve(message);
      else reject(asError(message));
    });
  });
}

async function untilRunning(config: ScsConfig, first: ControlStatus | undefined): Promise<ControlStatus> {
  let status = first;
  for (const deadline = performance.now() + PATIENCE; performance.now() < deadline; await wait(100)) {
    if (status?.state === 'running') return status;
    status = await askStatus(config);
  }
  throw new DomainError('unavailable', 'Another start of this instance is under way and does not get ready', {
    remedy: `See ${config.logFolder}`,
  });
}

function sayRunning(config: ScsConfig, status: ControlStatus): void {
  if (status.state !== 'running') return;
  process.stdout.write(alreadyRunning(config, status.endpoint, status.build === buildOf(config)));
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
