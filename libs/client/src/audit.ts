import {
  AUDIT_LIMITS,
  AUDIT_PATHS,
  AuditEntriesAnswer,
  type AuditEntry,
  type AuditFilter,
  type AuditHeadLine,
  type AuditHeads,
  AuditHeadsAnswer,
  type AudienceName,
  type SigningJwk,
} from '#libs/contract';
import type { HttpClient } from './http.js';

const TIMEOUT = 60_000;

/** The trail of one service as an auditor reads it; the shape that verification takes. */
export interface RemoteTrail {
  readonly service: AudienceName;
  keys(): Promise<readonly SigningJwk[]>;
  entries(after: number): AsyncIterable<AuditEntry>;
  heads(): AsyncIterable<AuditHeadLine>;
}

/** The audit trails of a process, for administrators. */
export class AuditClient {
  readonly #http: HttpClient;
  readonly #signal: AbortSignal | undefined;

  constructor(http: HttpClient, options: { readonly signal?: AbortSignal } = {}) {
    this.#http = http;
    this.#signal = options.signal;
  }

  /** Entries of a service that pass a filter, newest first, page by page as they are asked for. */
  async *list(service: AudienceName, filter: AuditFilter, limit: number): AsyncGenerator<AuditEntry> {
    yield* this.#entries({ service, ...filter, limit: Math.min(limit, AUDIT_LIMITS.page) });
  }

  /** The last signed head of a service; none when nothing has happened yet. */
  async newestHeads(service: AudienceName): Promise<readonly AuditHeadLine[]> {
    return (await this.#headsPage({ service, newest: 'true' })).data.heads;
  }

  /** The public keys that sign the heads of a service. */
  async keys(service: AudienceName): Promise<readonly SigningJwk[]> {
    const { keys } = (await this.#headsPage({ service, limit: 1 })).data;
    return keys.filter((one) => one.service === service).map(({ key }) => key);
  }

  /** The trail of a service, for verification and export. */
  source(service: AudienceName): RemoteTrail {
    return {
      service,
      keys: () => this.keys(service),
      entries: (after) => this.#entries({ service, after, limit: AUDIT_LIMITS.page }),
      heads: () => this.#heads(service),
    };
  }

  async *#entries(query: Record<string, string | number | undefined>): AsyncGenerator<AuditEntry> {
    let cursor: string | undefined;
    do {
      const answer = await this.#http.getJson(AUDIT_PATHS.entries, AuditEntriesAnswer, {
        query: { ...query, cursor },
        ...this.#options(),
      });
      yield* answer.data;
      cursor = answer.page?.next;
    } while (cursor !== undefined);
  }

  async *#heads(service: AudienceName): AsyncGenerator<AuditHeadLine> {
    let cursor: string | undefined;
    do {
      const { data, page } = await this.#headsPage({ service, limit: AUDIT_LIMITS.page, cursor });
      yield* data.heads;
      cursor = page?.next;
    } while (cursor !== undefined);
  }

  #headsPage(
    query: Record<string, string | number | undefined>,
  ): Promise<{ data: AuditHeads; page?: { next?: string | undefined } | undefined }> {
    return this.#http.getJson(AUDIT_PATHS.heads, AuditHeadsAnswer, { query, ...this.#options() });
  }

  #options(): { timeout: number; signal?: AbortSignal } {
    return { timeout: TIMEOUT, ...(this.#signal === undefined ? {} : { signal: this.#signal }) };
  }
}
