import { DomainError, messageOf, systemCode } from '#libs/core';

/**
 * Why Redis cannot be used, as one sentence. The services that need it answer 503 with it.
 * `error` is the last thing that the connection reported, if it reported anything.
 */
export function queueError(error: unknown, where: string): DomainError {
  const text = error === undefined ? '' : messageOf(error);
  const code = systemCode(error);
  const refuse = (reason: string, sentence: string, remedy: string): DomainError =>
    new DomainError('unavailable', `Builds cannot be queued: ${sentence}`, {
      reason,
      remedy,
      ...(error === undefined ? {} : { cause: error }),
    });
  if (/WRONGPASS|NOAUTH|invalid password/i.test(text))
    return refuse(
      'queue_password',
      `Redis at ${where} does not accept the user or the password`,
      'Correct SCS_REDIS_URL',
    );
  if (/NOPERM/.test(text))
    return refuse(
      'queue_forbidden',
      `the user at Redis ${where} may not do what is needed`,
      'Allow it ~scs:* &* +@all -@dangerous +info +client|setname +client|list',
    );
  if (/MISCONF|OOM command not allowed|No space left/.test(text))
    return refuse('queue_full', `Redis at ${where} has no room left`, 'Give Redis more memory or disk');
  if (code === 'ENOENT' || (code === 'ECONNREFUSED' && where.startsWith('/')))
    return refuse(
      'queue_stale_socket',
      `nobody answers on the socket ${where}`,
      'Start Redis, or correct SCS_REDIS_URL',
    );
  if (code === 'ECONNREFUSED')
    return refuse('queue_refused', `nothing listens at ${where}`, 'Start Redis, or correct SCS_REDIS_URL');
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return refuse('queue_unknown_host', `the host of ${where} is not known`, 'Correct SCS_REDIS_URL');
  if (code?.startsWith('ERR_SSL') || code?.startsWith('ERR_TLS') || /certificate|self.signed/i.test(text))
    return refuse(
      'queue_tls',
      `TLS with Redis at ${where} fails (${text})`,
      'Use redis:// if it has no TLS, or name its CA with ?tlsCAFile=',
    );
  return refuse(
    'queue_unreachable',
    `Redis at ${where} does not answer${text === '' ? '' : ` (${text})`}`,
    'Check that Redis runs and can be reached from here',
  );
}

/** What is said where no Redis was configured or could be started. */
export function queueAbsent(): DomainError {
  return new DomainError('unavailable', 'Remote builds are not offered here: no Redis is configured', {
    reason: 'queue_absent',
    remedy:
      'Ask the operator to install redis-server or to set SCS_REDIS_URL. A build on your own machine (sing build without --remote) needs no queue.',
  });
}
