import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADMINISTRATOR, type Endpoint, type ScsConfig } from '#libs/config';

const fileOf = (config: ScsConfig): string => join(config.home, 'endpoint.json');

/** What `endpoint.json` says about a running instance. */
export function endpointOf(config: ScsConfig, pid: number): Endpoint {
  return {
    url: config.publicUrl,
    // Without an authority of its own or of the site there is nothing to add to what everybody trusts; the key is there all the same.
    caFile: config.tls.caFile ?? config.tls.certFile,
    tokenFile: join(config.home, 'admin.token'),
    username: ADMINISTRATOR,
    pid,
    version: config.version,
  };
}

export function writeEndpoint(config: ScsConfig, endpoint: Endpoint): void {
  const file = fileOf(config);
  writeFileSync(`${file}.new`, `${JSON.stringify(endpoint)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function removeEndpoint(config: ScsConfig): void {
  rmSync(fileOf(config), { force: true });
}
