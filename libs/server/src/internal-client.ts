import { Agent, type Dispatcher } from 'undici';
import { ErrorEnvelope } from '#libs/contract';
import type { ScsConfig } from '#libs/config';
import {
  certificateProblem,
  DomainError,
  ERROR_CODES,
  messageOf,
  systemCode,
  type CertificateFault,
  type ErrorCode,
} from '#libs/core';
import { LIMITS } from './limits.js';
import { ownWay } from './own-way.js';

type Addressed = Parameters<ScsConfig['serviceUrl']>[0];

export interface InternalCall {
  readonly service: Addressed;
  readonly method?: Dispatcher.HttpMethod;
  /** Starts with a slash; appended to the service's URL. */
  readonly path: string;
  /** The token of the actor on whose behalf we ask; undefined only for what anybody may read. Never left out by accident. */
  readonly token: string | undefined;
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>>;
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

export interface InternalAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The parsed JSON body; undefined for an empty one. */
  readonly body: unknown;
}

/**
 * Calls from one service to another, over HTTPS, with the token of whoever asked. Trusts the instance's authority, the site's
 * and the system's. Requests to the own public URL go straight to the own port, so that no proxy in front of it cuts them.
 */
export class InternalClient {
  /** For typed clients (`HttpClient` of libs/client): same trust, same short way to the own process. */
  readonly dispatcher: Agent;
  readonly #config: ScsConfig;

  /** @param shown the certificate that this process shows now, in PEM; undefined for plain HTTP */
  constructor(config: ScsConfig, shown?: () => string | undefined) {
    this.#config = config;
    this.dispatcher = new Agent({
      connect: ownWay(config, shown),
      maxResponseSize: -1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connections: 64,
    });
  }

  /**
   * Sends one request.
   * @throws DomainError with the code, the message and the reason of the other service; `unavailable` when it cannot be reached
   */
  async call(call: InternalCall): Promise<InternalAnswer> {
    const timeout = AbortSignal.timeout(call.timeout ?? LIMITS.internalCallTime);
    const signal = call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout]);
    const { body, type } = bodyOf(call);
    try {
      const answer = await this.dispatcher.request({
        origin: new URL(this.#config.serviceUrl(call.service)).origin,
        path: `${new URL(this.#config.serviceUrl(call.service)).pathname.replace(/\/$/, '')}${call.path}`,
        method: call.method ?? 'GET',
        headers: {
          'user-agent': `scs/${this.#config.version}`,
          accept: 'application/json',
          ...(type === undefined ? {} : { 'content-type': type }),
          ...(call.token === undefined ? {} : { authorization: `Bearer ${call.token}` }),
        },
        body,
        signal,
      });
      const parsed = parse(await readAtMost(answer.body, LIMITS.internalAnswer));
      if (answer.statusCode >= 400) throw refusal(call.service, answer.statusCode, parsed);
      return { status: answer.statusCode, headers: answer.headers, body: parsed };
    } catch (error) {
      if (error instanceof DomainError || call.signal?.aborted === true) throw error;
      throw unreachable(call.service, this.#config.serviceUrl(call.service), error);
    }
  }

  /** Ends idle connections; call it when nothing will be asked any more. */
  async close(): Promise<void> {
    await this.dispatcher.destroy();
  }
}

function bodyOf(call: InternalCall): { body: string | null; type: string | undefined } {
  if (call.json !== undefined) return { body: JSON.stringify(call.json), type: 'application/json' };
  if (call.form !== undefined)
    return { body: new URLSearchParams(call.form).toString(), type: 'application/x-www-form-urlencoded' };
  return { body: null, type: undefined };
}

async function readAtMost(body: AsyncIterable<Buffer>, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw new Error('The answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  return JSON.parse(bytes.toString('utf8'));
}

function refusal(service: string, status: number, body: unknown): DomainError {
  const envelope = ErrorEnvelope.safeParse(body);
  const found = (Object.keys(ERROR_CODES) as ErrorCode[]).find((code) => ERROR_CODES[code].status === status);
  if (!envelope.success || found === undefined)
    return new DomainError('unavailable', `${service} answered ${status}`, { reason: 'service_failed' });
  const { message, reason } = envelope.data.error;
  return new DomainError(found, message, reason === undefined ? {} : { reason });
}

const UNTRUSTED: Readonly<Record<CertificateFault, (names: string) => readonly [string, string]>> = {
  untrusted: () => [
    'its certificate comes from an authority that is not trusted here',
    'Name that authority in SCS_TLS_CA_FILE',
  ],
  expired: () => ['its certificate has expired', 'Renew it there, or set the clock of this machine'],
  not_yet_valid: () => ['its certificate is not valid yet', 'Set the clock of this machine, or of that one'],
  other_name: (names) => [
    `its certificate is good for other names${names === '' ? '' : ` (${names})`}`,
    'Use one of its names in the address, or add the name there (SCS_NAMES, SCS_PUBLIC_URL)',
  ],
};

function unreachable(service: string, url: string, error: unknown): DomainError {
  const certificate = certificateProblem(error);
  if (certificate !== undefined) {
    const [why, remedy] = UNTRUSTED[certificate.fault](certificate.names.join(', '));
    return new DomainError('unavailable', `${service} at ${url} is not trusted: ${why}`, {
      reason: 'service_not_trusted',
      remedy,
      cause: error,
    });
  }
  const why = systemCode(error) ?? messageOf(error);
  return new DomainError('unavailable', `${service} cannot be reached at ${url} (${why})`, {
    reason: 'service_unreachable',
    cause: error,
  });
}
