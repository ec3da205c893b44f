import type { FactoryProvider, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { type AuditedServiceName, Chainer, HeadsFile, signHead, Trail, TrailReader } from '#libs/audit';
import { ScsConfig } from '#libs/config';
import { AUDIT_ACTIONS, AuditOutcome } from '#libs/contract';
import type { Clock } from '#libs/core';
import { publicPart } from '../auth/service-key.js';
import { CLOCK } from '../clock.js';
import { LOG, type Logger } from '../log.js';
import { Metrics } from '../metrics/index.js';
import { AuditDesk } from './audit-desk.js';
import { openHeadKey } from './head-key.js';

type Documents = ConstructorParameters<typeof TrailReader>[0];

/** The trail of a service, with the chainer that lives as long as the service does. */
class ServiceTrail extends Trail implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #chainer: Chainer;

  constructor(parts: { documents: Documents; service: AuditedServiceName; clock: Clock; chainer: Chainer }) {
    super({ ...parts, onWrite: () => parts.chainer.note() });
    this.#chainer = parts.chainer;
  }

  /** Before the port opens: what an earlier process left comes into the chain. */
  async onApplicationBootstrap(): Promise<void> {
    await this.#chainer.start();
  }

  /** Before the module of the service closes the database. */
  async onApplicationShutdown(): Promise<void> {
    await this.#chainer.stop();
  }
}

/**
 * The provider of {@link Trail} for the module of one service.
 * @param database the injection token of its own database, which the module class closes in `onApplicationShutdown`
 */
export function provideTrail(service: AuditedServiceName, database: symbol): FactoryProvider<Trail> {
  return {
    provide: Trail,
    inject: [database, ScsConfig, CLOCK, LOG, AuditDesk, Metrics],
    useFactory: async (
      documents: Documents,
      config: ScsConfig,
      clock: Clock,
      log: Logger,
      desk: AuditDesk,
      metrics: Metrics,
    ) => {
      const dataFolder = config.dataFolder(service);
      const key = await openHeadKey(dataFolder);
      const heads = new HeadsFile(dataFolder, service);
      const count = metrics.counter({
        name: `scs_${service}_audit_entries_total`,
        help: 'Entries of the audit trail: what was done, refused and failed',
        labels: { action: AUDIT_ACTIONS[service], outcome: AuditOutcome.options },
      });
      const chainer = new Chainer({
        onChained: ({ action, outcome }) => count({ action, outcome }),
        documents,
        service,
        clock,
        warn: (message) => log.warn({ service }, message),
        heads: {
          keep: async (head) => heads.append(head, await signHead(head, key)),
          newest: () => heads.newest(),
        },
      });
      const trail = new ServiceTrail({ documents, service, clock, chainer });
      desk.add({ trail, reader: new TrailReader(documents), heads, key: publicPart(key) });
      return trail;
    },
  };
}
