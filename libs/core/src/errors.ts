import { writtenOut } from './one-line.js';

/**
 * Every error that leaves a program of ours, by its stable code. Codes never change; messages may.
 * `status` is the HTTP status a service answers with; command lines ignore it.
 */
export const ERROR_CODES = {
  bad_request: { status: 400, message: 'The request is not valid' },
  unauthorized: { status: 401, message: 'A valid token is needed' },
  forbidden: { status: 403, message: 'Not allowed' },
  not_found: { status: 404, message: 'Not found' },
  method_not_allowed: { status: 405, message: 'This method is not offered here' },
  conflict: { status: 409, message: 'Already exists or was changed meanwhile' },
  gone: { status: 410, message: 'No longer there' },
  too_large: { status: 413, message: 'Larger than allowed' },
  unsupported_media_type: { status: 415, message: 'This content type is not taken here' },
  unprocessable: { status: 422, message: 'Understood, but not acceptable' },
  too_many_requests: { status: 429, message: 'Too many requests' },
  internal: { status: 500, message: 'Something went wrong on our side' },
  not_implemented: { status: 501, message: 'Not offered by this server' },
  unavailable: { status: 503, message: 'Not available at the moment' },
  out_of_space: { status: 507, message: 'No space left' },
} as const satisfies Record<string, { status: number; message: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface DomainErrorOptions {
  /** A finer stable reason in snake_case for programs, for example `image_not_found`; the code itself when absent. */
  readonly reason?: string;
  /** What the person can do about it, as a sentence or a command. Command lines print it under the message. */
  readonly remedy?: string;
  /** Exit status of a command line that ends with this error; the command's default when absent. */
  readonly exitCode?: number;
  /** Whole seconds after which it is worth trying again (`Retry-After`). */
  readonly retryAfter?: number;
  /** What was refused, for the audit trail: its kind and its name. Nobody else is told. */
  readonly about?: { readonly kind: string; readonly name: string };
  readonly cause?: unknown;
}

/**
 * An error that a person can understand: services render it in their envelope, command lines print it without a stack.
 * Anything that is thrown and is not a DomainError is a bug.
 */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly code: ErrorCode;
  readonly reason: string;
  readonly remedy: string | undefined;
  readonly exitCode: number | undefined;
  readonly retryAfter: number | undefined;
  readonly about: { readonly kind: string; readonly name: string } | undefined;

  constructor(code: ErrorCode, message?: string, options: DomainErrorOptions = {}) {
    super(
      message ?? ERROR_CODES[code].message,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.reason = options.reason ?? code;
    this.remedy = options.remedy;
    this.exitCode = options.exitCode;
    this.retryAfter = options.retryAfter;
    this.about = options.about;
  }

  /** The HTTP status that belongs to the code. */
  get status(): number {
    return ERROR_CODES[this.code].status;
  }
}

/** Whether a status says that something is wrong with the server. 501 does not: somebody asked for what it does not offer. */
export const isServerFault = (status: number): boolean =>
  status >= 500 && status !== ERROR_CODES.not_implemented.status;

/** "Expected <what> for <name>, got <value>": the one form of our messages about values. Long values are cut, and show all that is in them. */
export function expected(what: string, name: string, got: unknown): string {
  const text = writtenOut(typeof got === 'string' ? JSON.stringify(got) : String(got));
  return `Expected ${what} for ${name}, got ${text.length > 80 ? `${text.slice(0, 77)}…` : text}`;
}

/** The message of anything that can be thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error such as `ENOENT`, or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
