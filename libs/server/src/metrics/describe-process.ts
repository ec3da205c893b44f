import { statfs } from 'node:fs/promises';
import type { ScsConfig } from '#libs/config';
import type { Readiness } from '../readiness.js';
import type { UpgradeRouter } from '../upgrade.js';
import { METRICS } from './limits.js';
import type { Metrics } from './metrics.js';

export interface ProcessParts {
  readonly config: ScsConfig;
  readonly readiness: Readiness;
  readonly upgrades: UpgradeRouter;
}

/** What every process says of itself, besides what prom-client says of any program. */
export function describeProcess(metrics: Metrics, { config, readiness, upgrades }: ProcessParts): void {
  metrics.gauge(
    { name: 'scs_build_info', help: 'Always 1; its label is the version', labels: ['version'] },
    () => [{ value: 1, labels: { version: config.version } }],
  );
  metrics.gauge(
    {
      name: 'scs_service_running',
      help: 'Always 1, for each service of SCS_SERVICES',
      labels: ['service'],
    },
    () => config.services.map((service) => ({ value: 1, labels: { service } })),
  );
  metrics.gauge(
    {
      name: 'scs_ready',
      help: 'Whether what a service needs works, as /readyz says: 1 or 0',
      labels: ['check'],
      every: METRICS.databaseSeconds,
    },
    async () =>
      Object.entries((await readiness.report()).checks).map(([check, result]) => ({
        value: result === 'ok' ? 1 : 0,
        labels: { check },
      })),
  );
  metrics.gauge({ name: 'scs_websockets_open', help: 'Websockets that are open' }, () => [
    { value: upgrades.open },
  ]);
  metrics.gauge(
    {
      name: 'scs_disk_free_bytes',
      help: 'Space that the account may still use on the disk of SCS_HOME',
      every: METRICS.databaseSeconds,
    },
    async () => {
      const { bavail, bsize } = await statfs(config.home);
      return [{ value: bavail * bsize }];
    },
  );
}
