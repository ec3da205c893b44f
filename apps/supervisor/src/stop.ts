import { existsSync } from 'node:fs';
import { loadConfig } from '#libs/config';
import { askStop } from './control.js';
import { removeEndpoint } from './endpoint.js';
import { endLeftovers } from './processes.js';

/**
 * Stops the instance of a state folder and nothing else: its supervisor is asked over a socket in that folder, and what a killed
 * supervisor left is found by process id and start time. Succeeds when nothing runs.
 */
export async function stop(env: NodeJS.ProcessEnv): Promise<void> {
  const config = loadConfig(env);
  if (!existsSync(config.home)) {
    process.stdout.write(`Nothing runs in ${config.home}.\n`);
    return;
  }
  if (await askStop(config)) {
    process.stdout.write(`Stopped the instance in ${config.home}.\n`);
    return;
  }
  const left = await endLeftovers(config.runFolder);
  removeEndpoint(config);
  process.stdout.write(
    left.length === 0
      ? `Nothing runs in ${config.home}.\n`
      : `The supervisor of ${config.home} had been killed; stopped what it left: ${left.join(', ')}.\n`,
  );
}
