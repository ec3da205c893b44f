import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StartedApp } from './app.js';

/** Writes what `scripts/up` writes into a state folder, so that `scs` finds the app there. @param token of an administrator */
export async function announce(home: string, app: StartedApp, token: string): Promise<void> {
  const files = { caFile: 'ca.pem', tokenFile: 'test.token' };
  const endpoint = { url: app.url, ...files, username: 'root', pid: 1, version: '1' };
  await writeFile(join(home, 'endpoint.json'), JSON.stringify(endpoint));
  await writeFile(join(home, files.caFile), app.ca);
  await writeFile(join(home, files.tokenFile), token);
}
