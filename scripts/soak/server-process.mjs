import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

/**
 * A server program of `dist`, run as the supervisor runs it.
 * @param app `library`, or `all-in-one` with the names of services in `env`
 * @param env its settings
 * @param words what Node itself is to be told
 */
export function serverProcess({ app, env, words = [] }) {
  const flags = new URL('../../dist/apps/supervisor/src/serverFlags.js', import.meta.url).href;
  const main = new URL(`../../dist/apps/${app}/src/main.js`, import.meta.url).pathname;
  if (!existsSync(main)) throw new Error('Build first: npm run build');
  let child;
  let said = '';
  const running = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  const end = async (signal) => {
    if (!running()) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  };
  return {
    get pid() {
      return child.pid;
    },
    /** Resolves when everything works that was promised. @throws Error with what the process said */
    async start() {
      const { SERVER_FLAGS } = await import(flags);
      child = spawn(process.execPath, [...SERVER_FLAGS, ...words, main], {
        env: { PATH: process.env.PATH, SCS_LOG_LEVEL: 'warn', ...env },
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
      said = '';
      child.stderr.on('data', (text) => (said += text));
      const [message] = await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(() => [{ type: 'failed', message: said }]),
      ]);
      if (message.type !== 'ready' || message.failing.length > 0)
        throw new Error(`The server did not start: ${message.message ?? message.failing.join(', ')}`);
    },
    /** What it says to one message. */
    async ask(message) {
      const answer = once(child, 'message');
      child.send(message);
      return (await answer)[0];
    },
    /** @throws Error when it has ended */
    requireRunning() {
      if (!running()) throw new Error(`The server ended (${child.signalCode ?? child.exitCode})`);
    },
    kill: () => end('SIGKILL'),
    /** @throws Error when the server said anything: Node closes files that nobody closed some time, and says so then */
    async stop() {
      await end('SIGTERM');
      if (said !== '') throw new Error(`Expected nothing on standard error, got: ${said}`);
    },
  };
}
