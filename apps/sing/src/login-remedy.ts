import { DomainError } from '#libs/core';

/** What services say of tokens; what they advise knows neither the remote nor the key server at which to log in again. */
const OF_TOKENS: ReadonlySet<string> = new Set([
  'credentials_missing',
  'token_expired',
  'token_invalid',
  'token_revoked',
  'wrong_audience',
]);

/** Refusals that say already where to log in. */
const said = new WeakSet<DomainError>();

/**
 * A refusal of a token, with the command that logs in again; every other error as it is, and so what an inner call has given one.
 * @param login `Log in: sing …`
 */
export function withLoginRemedy(error: unknown, login: string): unknown {
  if (!(error instanceof DomainError) || error.code !== 'unauthorized' || said.has(error)) return error;
  if (error.remedy !== undefined && !OF_TOKENS.has(error.reason)) return error;
  const better = new DomainError('unauthorized', error.message, {
    reason: error.reason,
    remedy: login,
    cause: error,
    ...(error.exitCode === undefined ? {} : { exitCode: error.exitCode }),
  });
  said.add(better);
  return better;
}
