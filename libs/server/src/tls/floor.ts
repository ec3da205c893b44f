import tls from 'node:tls';

/** The oldest version of TLS that is spoken, in both directions. */
export const OLDEST_TLS = 'TLSv1.2';

/**
 * Node can be told to take older versions (`--tls-min-v1.0`, also in NODE_OPTIONS). Not here: what this process calls
 * (other services, databases, the queue) is bound by it, whatever library opens the connection.
 */
export function raiseTlsFloor(): void {
  if (tls.DEFAULT_MIN_VERSION !== 'TLSv1.3') tls.DEFAULT_MIN_VERSION = OLDEST_TLS;
}
