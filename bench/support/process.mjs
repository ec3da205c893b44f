import { spawn } from 'node:child_process';
import { once } from 'node:events';

export { freePort } from '../../test/support/ports.ts';

/** Starts a program and waits until `isUp` resolves; a program that ends before says why. */
export async function startProgram(command, parameters, { env = {}, isUp }) {
  const child = spawn(command, parameters, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (chunk) => {
    output = (output + chunk).slice(-4000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${command} ended with ${code}: ${output}`);
  });
  ended.catch(() => undefined);
  const up = (async () => {
    for (;;) {
      if (await isUp().catch(() => false)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  await Promise.race([up, ended]);
  return {
    pid: child.pid,
    async stop() {
      child.kill('SIGTERM');
      await ended.catch(() => undefined);
    },
  };
}
