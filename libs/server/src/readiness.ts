import { DomainError, messageOf } from '#libs/core';
import { LIMITS } from './limits.js';
import type { Logger } from './log.js';

type Check = () => Promise<void>;

export interface ReadinessReport {
  readonly ready: boolean;
  /** By name; the reasons are in the log, because anybody may ask. */
  readonly checks: Readonly<Record<string, 'ok' | 'failed'>>;
}

/** What must work for this process to be useful. Services register a check for each thing that they need. */
export class Readiness {
  readonly #checks = new Map<string, Check>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** `check` rejects when the thing does not work; a check that takes longer than LIMITS.readinessTime has failed. */
  register(name: string, check: Check): void {
    this.#checks.set(name, check);
  }

  async report(): Promise<ReadinessReport> {
    const results = await Promise.all(
      [...this.#checks].map(async ([name, check]) => [name, await this.#run(name, check)] as const),
    );
    return { ready: results.every(([, result]) => result === 'ok'), checks: Object.fromEntries(results) };
  }

  async #run(name: string, check: Check): Promise<'ok' | 'failed'> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error('No answer in time')), LIMITS.readinessTime);
    try {
      await Promise.race([check(), late]);
      return 'ok';
    } catch (error) {
      const remedy = error instanceof DomainError ? error.remedy : undefined;
      this.#log.warn({ check: name, ...(remedy && { remedy }) }, `Not ready: ${messageOf(error)}`);
      return 'failed';
    } finally {
      clearTimeout(timer);
    }
  }
}
