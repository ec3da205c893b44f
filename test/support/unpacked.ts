import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Ended } from './containers.js';

/** Runs a command in a small environment. */
export async function execute(
  [program = '', ...args]: readonly string[],
  environment: Readonly<Record<string, string>> = { PATH: '/usr/bin:/bin' },
): Promise<Ended> {
  const child = spawn(program, args, { cwd: '/', env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [status, signal] = (await closed) as [number | null, NodeJS.Signals | null];
  return { status, signal, stdout, stderr };
}
