import { connect, type PeerCertificate, type SecureVersion } from 'node:tls';

export interface Shown {
  readonly protocol: string | null;
  readonly certificate: PeerCertificate;
}

/**
 * Opens a TLS connection to a port of this machine and says what was agreed on. With `only` the client speaks that version
 * alone, and really: OpenSSL by itself would not even send a greeting of TLS 1.1.
 */
export function greet(
  port: number,
  {
    ca,
    servername = 'localhost',
    only,
  }: { readonly ca: string; readonly servername?: string; readonly only?: SecureVersion },
): Promise<Shown> {
  return new Promise((resolve, reject) => {
    const versions =
      only === undefined ? {} : { minVersion: only, maxVersion: only, ciphers: 'DEFAULT@SECLEVEL=0' };
    const socket = connect({ host: '127.0.0.1', port, ca, servername, ...versions }, () => {
      resolve({ protocol: socket.getProtocol(), certificate: socket.getPeerCertificate() });
      socket.destroy();
    });
    socket.once('error', reject);
  });
}
