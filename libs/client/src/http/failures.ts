import {
  certificateProblem,
  DomainError,
  ERROR_CODES,
  messageOf,
  systemCode,
  type CertificateFault,
  type ErrorCode,
} from '#libs/core';
import { ErrorEnvelope } from '#libs/contract';

/** A server's answer that says no. `code`, `reason` and message are the server's own where it sent an envelope. */
export class ResponseError extends DomainError {
  /** The HTTP status as it arrived. */
  readonly httpStatus: number;

  constructor(
    httpStatus: number,
    message: string,
    options: { reason?: string; remedy?: string; code?: ErrorCode; retryAfter?: number } = {},
  ) {
    const { code = codeOf(httpStatus), ...rest } = options;
    super(code, message, rest);
    this.httpStatus = httpStatus;
  }
}

/** The code of our table whose status this is; the nearest for statuses that are not in it. */
export function codeOf(status: number): ErrorCode {
  for (const [code, entry] of Object.entries(ERROR_CODES)) {
    if (entry.status === status && isErrorCode(code)) return code;
  }
  if (status === 502 || status === 504) return 'unavailable';
  if (status >= 500) return 'internal';
  if (status === 412) return 'conflict';
  return 'bad_request';
}

function isErrorCode(code: string): code is ErrorCode {
  return code in ERROR_CODES;
}

/**
 * The error that an answer with an unwelcome status stands for.
 * @param what method and address, for messages
 * @param retryAfter seconds after which the server wants to be asked again
 */
export function responseError(
  status: number,
  body: string,
  what: string,
  retryAfter?: number,
): ResponseError {
  const later = retryAfter === undefined ? {} : { retryAfter };
  const envelope = ErrorEnvelope.safeParse(parseJson(body));
  if (!envelope.success)
    return new ResponseError(status, `${what} was answered with status ${status}`, later);
  const { message, reason, remedy } = envelope.data.error;
  return new ResponseError(status, message, {
    ...later,
    ...(reason !== undefined && { reason }),
    ...(remedy !== undefined && { remedy }),
  });
}

/** JSON, or undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What is wrong with a certificate, the reason for programs, and what helps. */
const CERTIFICATE: Readonly<
  Record<CertificateFault, (origin: string, names: string) => readonly [string, string, string]>
> = {
  untrusted: (origin) => [
    'its certificate comes from an authority that is not trusted here',
    'untrusted_certificate',
    `If it is an instance of SCS, ${origin}/ca.pem is its authority: compare the fingerprint with what its administrator names (scs ca show), then say sing remote add --ca FILE, or name the file in SING_CA_FILE`,
  ],
  expired: () => [
    'its certificate has expired',
    'certificate_expired',
    'Its administrator has to renew it, unless the clock of this machine is wrong',
  ],
  not_yet_valid: () => [
    'its certificate is not valid yet',
    'certificate_not_yet_valid',
    'Set the clock of this machine; if it is right, ask the administrator of the server',
  ],
  other_name: (_origin, names) => [
    `its certificate is for ${names === '' ? 'another name' : `other names (${names})`}`,
    'certificate_of_another_name',
    'Use one of its names in the address, or ask its administrator to add this one (SCS_NAMES)',
  ],
};

const CONNECTION: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was reset',
  EAI_AGAIN: 'its name cannot be resolved at the moment',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ENOTFOUND: 'its name is unknown',
  EPIPE: 'the connection was closed',
  ETIMEDOUT: 'no answer came in time',
  UND_ERR_BODY_TIMEOUT: 'the answer stopped arriving',
  UND_ERR_CONNECT_TIMEOUT: 'no connection came about in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer came in time',
  UND_ERR_SOCKET: 'the connection was closed',
};

/** Whether a server was turned away because nobody that is trusted here vouches for it. */
export function isUnknownAuthority(error: unknown): boolean {
  return certificateProblem(error)?.fault === 'untrusted';
}

/** Whether a failure is one of the network, after which a request that may be repeated is repeated. */
export function isNetworkFailure(error: unknown): boolean {
  const code = deepCode(error);
  return code !== undefined && (code in CONNECTION || code.startsWith('UND_ERR_RES_EXCEEDED'));
}

/**
 * The sentence for a request that got no answer. Errors that are none of the network's pass through as they are.
 * @param origin scheme, host and port
 */
export function networkError(error: unknown, origin: string): unknown {
  if (error instanceof DomainError) return error;
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new DomainError('unavailable', `No answer from ${origin} in time`, {
      reason: 'timeout',
      cause: error,
    });
  }
  const certificate = certificateProblem(error);
  if (certificate !== undefined) {
    const [why, reason, remedy] = CERTIFICATE[certificate.fault](origin, certificate.names.join(', '));
    return new DomainError('unavailable', `${origin} is not trusted: ${why}`, {
      reason,
      remedy,
      cause: error,
    });
  }
  const code = deepCode(error) ?? '';
  const connection =
    CONNECTION[code] ??
    (/^(ERR_SSL_|EPROTO)/.test(code) ? 'it does not speak TLS as it should' : undefined) ??
    (/proxy/i.test(messageOf(error)) ? messageOf(error) : undefined);
  if (connection === undefined) return error;
  return new DomainError('unavailable', `Cannot reach ${origin}: ${connection}`, {
    reason: 'unreachable',
    remedy: 'Check the address and that the service runs',
    cause: error,
  });
}

function deepCode(error: unknown): string | undefined {
  const own = systemCode(error);
  if (own !== undefined && own in CONNECTION) return own;
  if (error instanceof AggregateError) {
    for (const each of error.errors) {
      const code = deepCode(each);
      if (code !== undefined) return code;
    }
  }
  if (error instanceof Error && error.cause !== undefined) return deepCode(error.cause) ?? own;
  return own;
}
