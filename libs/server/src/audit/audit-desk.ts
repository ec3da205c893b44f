import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import {
  type AuditedServiceName,
  type HeadsFile,
  listHeads,
  listTrails,
  type Page,
  requestSubject,
  type Trail,
  type TrailReader,
} from '#libs/audit';
import {
  type AuditEntry,
  type AuditHeads,
  type AuditHeadsQuery,
  type AuditQuery,
  AuditSubject,
  serviceOfAction,
  type SigningJwk,
} from '#libs/contract';
import { DomainError, isServerFault, messageOf } from '#libs/core';
import { failureOf } from '../http/envelope.js';
import { LIMITS } from '../limits.js';
import type { Logger } from '../log.js';
import { changeOf } from './changes.js';

/** The trail of a service of this process. */
export interface OpenTrail {
  readonly trail: Trail;
  readonly reader: TrailReader;
  readonly heads: HeadsFile;
  /** Signs its heads. */
  readonly key: SigningJwk;
}

/** The trails of the services of this process: what the audit routes read, and where refusals are recorded. */
export class AuditDesk {
  readonly #log: Logger;
  readonly #trails = new Map<AuditedServiceName, OpenTrail>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Called once by each service. */
  add(open: OpenTrail): void {
    this.#trails.set(open.trail.service, open);
  }

  /** @throws DomainError `bad_request`, `not_found` */
  list(query: AuditQuery): Promise<Page<AuditEntry>> {
    return listTrails(
      this.#each(({ reader }) => reader),
      query,
    );
  }

  /** @throws DomainError `bad_request` */
  async heads(query: AuditHeadsQuery): Promise<{ readonly data: AuditHeads; readonly cursor?: string }> {
    const { items, ...rest } = await listHeads(
      this.#each(({ heads }) => heads),
      query,
    );
    const keys = [...this.#trails]
      .filter(([service]) => query.service === undefined || service === query.service)
      .map(([service, { key }]) => ({ service, key }));
    return { data: { keys, heads: [...items] }, ...rest };
  }

  /**
   * Records that a change was refused to a caller who is known, or failed. Undefined when the request is none of that kind.
   * Never rejects, and never takes longer than LIMITS.auditTime: a trail that cannot be written keeps nobody from their answer.
   */
  refused(request: FastifyRequest, error: unknown): Promise<void> | undefined {
    const change = changeOf(request);
    if (change?.caller === undefined) return undefined;
    const { action, caller } = change;
    const open = this.#trails.get(serviceOfAction(action));
    if (open === undefined) return undefined;
    const { status, body } = failureOf(error);
    const about = error instanceof DomainError ? AuditSubject.safeParse(error.about).data : undefined;
    const recorded = open.trail.record({
      action,
      outcome: isServerFault(status) ? 'failed' : 'refused',
      actor: caller,
      subject: about ?? requestSubject(request.url),
      reason: body.error.reason ?? 'internal',
    });
    return Promise.race([recorded, tooLate()]).catch((failure: unknown) =>
      this.#log.error({ request: request.id, action }, `A refusal was not recorded: ${messageOf(failure)}`),
    );
  }

  /** Answers a refused request when it is recorded: whoever is told shall not be faster than the record of it. */
  recordThen(request: FastifyRequest, error: unknown, answer: () => void): void {
    const recorded = this.refused(request, error);
    if (recorded === undefined) answer();
    else void after(recorded, answer);
  }

  #each<T>(part: (open: OpenTrail) => T): Map<AuditedServiceName, T> {
    return new Map([...this.#trails].map(([service, open]) => [service, part(open)]));
  }
}

async function after(recorded: Promise<void>, answer: () => void): Promise<void> {
  await recorded;
  answer();
}

async function tooLate(): Promise<never> {
  await delay(LIMITS.auditTime, undefined, { ref: false });
  throw new Error('the database did not answer in time');
}
