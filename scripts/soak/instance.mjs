import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

const SUPERVISOR = new URL('../../dist/apps/supervisor/src/main.js', import.meta.url).pathname;

/**
 * An instance as `scripts/up` runs it, with a state folder below `folder`. It is not started.
 * @param settings at least the port and the services
 * @throws Error when nothing is built
 */
export function ownInstance(folder, settings) {
  if (!existsSync(SUPERVISOR)) throw new Error('Build first: npm run build');
  const home = join(folder, 'home');
  mkdirSync(home, { mode: 0o700 });
  const env = { PATH: process.env.PATH, SCS_HOME: home, ...settings };
  return {
    home,
    /** `start` or `stop`. @throws Error with what was said */
    async supervisor(verb) {
      const child = spawn(process.execPath, [SUPERVISOR, verb], { env, stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      child.stderr.on('data', (text) => (said += text));
      const [status] = await once(child, 'exit');
      if (status !== 0) throw new Error(`The instance did not ${verb}: ${said}`);
    },
  };
}
