import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** A server process of a test: ends with the test process, and shows its last words when it does not start. */
export interface ServerProcess {
  readonly child: ChildProcess;
  /** Ends it and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Where a server can be reached once it is up. */
export type Door = { readonly socket: string } | { readonly host: string; readonly port: number };

const START_DEADLINE = 20_000;

/**
 * Starts a server and waits until somebody can connect to it.
 * @throws Error with what the process printed when it ends, or does not listen in time
 */
export async function startServer(options: {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly door: Door;
}): Promise<ServerProcess> {
  const child = spawn(options.command, options.args, {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const listen = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  const onExit = (): void => void child.kill('SIGKILL');
  process.once('exit', onExit);
  const gone = once(child, 'exit').then(() => process.off('exit', onExit));
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new Error(`${options.command} ended (${code ?? signal}): ${output}`)),
    );
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    child.kill(signal);
    await gone;
  };
  try {
    await Promise.race([failed, untilOpen(options.door)]);
  } catch (error) {
    child.kill('SIGKILL');
    throw error instanceof Error ? new Error(`${error.message} ${output}`, { cause: error }) : error;
  }
  // From here on an exit is the test's business.
  failed.catch(() => undefined);
  return { child, stop };
}

/** A listening socket gives no event to a stranger: ask until it answers. */
async function untilOpen(door: Door): Promise<void> {
  const deadline = Date.now() + START_DEADLINE;
  while (!(await isOpen(door))) {
    if (Date.now() > deadline) throw new Error(`Nothing listens at ${JSON.stringify(door)}`);
    await pause(15);
  }
}

function isOpen(door: Door): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = 'socket' in door ? connect(door.socket) : connect(door.port, door.host);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
