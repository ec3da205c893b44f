import 'reflect-metadata';
import { randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** A certificate for tests, with its private key. */
export interface TestCertificate {
  readonly pem: string;
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

export interface TestCertificateOptions {
  readonly name: string;
  /** Signed by itself when absent. */
  readonly issuer?: TestCertificate;
  readonly authority?: boolean;
  readonly pathLength?: number;
  /** Extended key usages by object identifier. */
  readonly usages?: readonly string[];
  readonly keyUsage?: x509.KeyUsageFlags;
  readonly ocsp?: string;
  readonly from?: string;
  readonly until?: string;
  readonly hash?: string;
  /** More extensions, for example one that nobody knows. */
  readonly more?: readonly x509.Extension[];
}

export const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';

/** Makes a certificate and its key. */
export async function testCertificate(options: TestCertificateOptions): Promise<TestCertificate> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: options.hash ?? 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const extensions: x509.Extension[] = [...(options.more ?? [])];
  if (options.authority === true)
    extensions.push(new x509.BasicConstraintsExtension(true, options.pathLength, true));
  if (options.keyUsage !== undefined) extensions.push(new x509.KeyUsagesExtension(options.keyUsage, true));
  if (options.usages !== undefined) extensions.push(new x509.ExtendedKeyUsageExtension([...options.usages]));
  if (options.ocsp !== undefined)
    extensions.push(new x509.AuthorityInfoAccessExtension({ ocsp: options.ocsp }));
  const name = `CN=${options.name}`;
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: `01${randomBytes(8).toString('hex')}`,
    subject: name,
    issuer: options.issuer?.certificate.subject ?? name,
    notBefore: new Date(options.from ?? '2026-01-01T00:00:00Z'),
    notAfter: new Date(options.until ?? '2030-01-01T00:00:00Z'),
    publicKey: keys.publicKey,
    signingKey: options.issuer?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: algorithm,
    extensions,
  });
  const pem = made.toString('pem');
  return { pem, certificate: new X509Certificate(pem), keys };
}

/** The private key in PEM form. */
export async function privateKeyPem({ keys }: TestCertificate): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
}
