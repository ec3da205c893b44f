import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

/** A certificate of the site for tests: signed by itself, so it is also its own authority. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

const KEY = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Makes a self-signed certificate for localhost, or for other names, that is valid from `from` until `until`. */
export async function makeCertificate(
  from: Date,
  until: Date,
  name = 'test',
  names: readonly string[] = ['localhost', '127.0.0.1'],
): Promise<TestCertificate> {
  const keys = await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: `01${randomBytes(8).toString('hex')}`,
    name: [{ CN: [name] }],
    notBefore: from,
    notAfter: until,
    signingAlgorithm: KEY,
    keys,
    extensions: [
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
    ],
  });
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(der, 'PRIVATE KEY') };
}

const HOUR = 60 * 60 * 1000;

/** An authority for tests that makes certificates for servers. */
export class CertificateAuthority {
  readonly cert: string;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(cert: string, keys: webcrypto.CryptoKeyPair) {
    this.cert = cert;
    this.#keys = keys;
  }

  static async make(name = 'test authority'): Promise<CertificateAuthority> {
    const keys = await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: `01${randomBytes(8).toString('hex')}`,
      name: [{ CN: [`${name} ${randomBytes(4).toString('hex')}`] }],
      notBefore: new Date(Date.now() - HOUR),
      notAfter: new Date(Date.now() + 24 * HOUR),
      signingAlgorithm: KEY,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new CertificateAuthority(certificate.toString('pem'), keys);
  }

  /** A certificate for names and addresses; `from` and `until` are hours from now. */
  async issue(
    names: readonly string[] = ['localhost', '127.0.0.1'],
    { from = -1, until = 24 }: { from?: number; until?: number } = {},
  ): Promise<TestCertificate> {
    const keys = await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
    const issuer = new x509.X509Certificate(this.cert);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: `01${randomBytes(8).toString('hex')}`,
      subject: [{ CN: ['test server'] }],
      issuer: issuer.subject,
      notBefore: new Date(Date.now() + from * HOUR),
      notAfter: new Date(Date.now() + until * HOUR),
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: KEY,
      extensions: [
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
        ),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ],
    });
    const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(der, 'PRIVATE KEY') };
  }
}
