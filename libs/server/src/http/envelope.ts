import { STATUS_CODES } from 'node:http';
import type { ErrorEnvelope } from '#libs/contract';
import { DomainError, ERROR_CODES, systemCode, type ErrorCode } from '#libs/core';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** An answer that says what went wrong: the status and the body of every service (library contract §3). */
export interface Failure {
  readonly status: number;
  readonly body: ErrorEnvelope;
}

export function failure(status: number, message: string, reason: string, remedy?: string): Failure {
  return {
    status,
    body: { error: { code: status, message, reason, ...(remedy !== undefined && { remedy }) } },
  };
}

const NO_SPACE = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * What a client is told about anything that was thrown. Only a DomainError, an HTTP error below 500 of the framework
 * and a full disk say more than "something went wrong".
 */
export function failureOf(error: unknown): Failure {
  if (error instanceof DomainError) return failure(error.status, error.message, error.reason, error.remedy);
  if (NO_SPACE.has(systemCode(error) ?? '')) {
    const { status, message } = ERROR_CODES.out_of_space;
    return failure(status, message, 'out_of_space');
  }
  const status = statusOf(error);
  if (status !== undefined && status >= 400 && status < 500)
    return failure(status, frameworkMessage(error, status), reasonOf(status));
  return failure(500, ERROR_CODES.internal.message, 'internal');
}

/** The HTTP status that an error of Nest (`getStatus`) or Fastify (`statusCode`) carries. */
function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('getStatus' in error && typeof error.getStatus === 'function') return Number(error.getStatus());
  if ('statusCode' in error && typeof error.statusCode === 'number') return error.statusCode;
  return undefined;
}

function frameworkMessage(error: unknown, status: number): string {
  if (status === 404) return 'There is nothing at this address';
  if (status === 400 && error instanceof Error && error.message.includes('valid url component'))
    return 'Expected a valid URL';
  return STATUS_CODES[status] ?? 'The request is not valid';
}

function reasonOf(status: number): string {
  const found = (Object.keys(ERROR_CODES) as ErrorCode[]).find((code) => ERROR_CODES[code].status === status);
  return found ?? 'bad_request';
}
