import { DomainError } from '#libs/core';

const LOG_IN_AGAIN = 'Make another one (page /auth/tokens of this instance), and log in with it';

/** 401: the token that was presented is not good; `reason` says why as far as its holder may know. */
export function refused(
  reason: 'token_invalid' | 'token_expired' | 'token_revoked' | 'account_disabled' | 'wrong_audience',
  cause?: unknown,
): DomainError {
  const message = {
    token_invalid: 'The token is not valid here',
    token_expired: 'The token has expired',
    token_revoked: 'The token was revoked',
    account_disabled: 'The account of this token is disabled',
    wrong_audience: 'The token is not meant for this service',
  }[reason];
  const remedy = reason === 'account_disabled' ? 'Ask an administrator of this instance' : LOG_IN_AGAIN;
  return new DomainError('unauthorized', message, { reason, remedy, cause });
}

/** 401: nothing was presented where something is needed. */
export function credentialsMissing(): DomainError {
  return new DomainError('unauthorized', 'A token is needed', {
    reason: 'credentials_missing',
    remedy: 'Log in with one first; page /auth/tokens of this instance makes them',
  });
}

/** 401: a password, where only tokens are taken. Who sends one must not believe that it was accepted. */
export function passwordNotTaken(): DomainError {
  return new DomainError('unauthorized', 'Passwords are not taken here', {
    reason: 'token_needed',
    remedy: 'Send a token, as Bearer or as the password',
  });
}

/** 503: tokens cannot be checked, because the auth service was never reached. */
export function cannotCheck(cause?: unknown): DomainError {
  return new DomainError('unavailable', 'Tokens cannot be checked: the auth service does not answer', {
    reason: 'auth_unreachable',
    cause,
  });
}

/** 503: who answers as the auth service publishes none of its keys. */
export function keysReplaced(): DomainError {
  return new DomainError(
    'unavailable',
    'Tokens cannot be checked: the auth service signs with keys that it never announced',
    {
      reason: 'auth_keys_replaced',
      remedy: 'An administrator restarts the services if all signing keys were removed on purpose',
    },
  );
}
