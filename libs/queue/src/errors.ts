import { certificateProblem, type CertificateFault, DomainError, messageOf, systemCode } from '#libs/core';

const CERTIFICATES: Readonly<Record<CertificateFault, (names: string) => readonly [string, string, string]>> =
  {
    untrusted: () => [
      'queue_certificate',
      'comes from an authority that is not trusted',
      'Name the authority of Redis in SCS_REDIS_CA_FILE',
    ],
    expired: () => [
      'queue_certificate_expired',
      'has expired',
      'Renew it there, or set the clock of this machine',
    ],
    not_yet_valid: () => [
      'queue_certificate_not_yet_valid',
      'is not valid yet',
      'Set the clock of this machine, or of that one',
    ],
    other_name: (names) => [
      'queue_certificate_of_another_name',
      `is good for other names${names === '' ? '' : ` (${names})`}`,
      'Use one of its names in SCS_REDIS_URL, or give Redis a certificate with that name',
    ],
  };

/** What a server that wants to see a certificate says, by version of TLS. */
const CLIENT_CERTIFICATE =
  /^ERR_SSL_(TLSV13_ALERT_CERTIFICATE_REQUIRED|SSLV3_ALERT_(BAD|NO)_CERTIFICATE|SSL\/TLS_ALERT_BAD_CERTIFICATE)$/;

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
      `the user at Redis ${where} may not do what is needed (${text.replace(/^.*?NOPERM /s, '')})`,
      'Allow it ~scs:* &* +@all -@dangerous +info +client|setname +client|list',
    );
  const certificate = certificateProblem(error);
  if (certificate !== undefined) {
    const [reason, why, remedy] = CERTIFICATES[certificate.fault](certificate.names.join(', '));
    return refuse(reason, `the certificate of Redis at ${where} ${why} (${certificate.code})`, remedy);
  }
  if (code !== undefined && CLIENT_CERTIFICATE.test(code))
    return refuse(
      'queue_wants_certificate',
      `Redis at ${where} wants a certificate of its clients`,
      'Set tls-auth-clients no in Redis: the password says who is there',
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
  if (code?.startsWith('ERR_SSL') || code?.startsWith('ERR_TLS') || code === 'EPROTO')
    return refuse(
      'queue_tls',
      `Redis at ${where} does not speak TLS, or no version in common (${code})`,
      'Turn TLS on in Redis (tls-port), or use its unix socket',
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
