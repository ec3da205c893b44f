import { X509Certificate } from 'node:crypto';
import { certificateError } from './fault.js';
import { CERTIFICATE_LIMITS } from './limits.js';

/** What the extensions of a certificate allow. */
export interface CertificateRules {
  readonly isAuthority: boolean;
  /** How many intermediate authorities may stand below this one. */
  readonly pathLength: number | undefined;
  /** Whether its key may sign certificates; true when nothing is said about it. */
  readonly signsCertificates: boolean;
  /** Extended key usages by their object identifiers; undefined is every usage. */
  readonly usages: readonly string[] | undefined;
  /** Critical extensions that nobody here understands, among them limits on names: they forbid to use it. */
  readonly notUnderstood: readonly string[];
  /** Where somebody can be asked whether it was revoked. */
  readonly ocspUrls: readonly string[];
}

const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g;

/**
 * Reads all certificates of a PEM text; what stands around them is ignored, as everywhere.
 * @throws DomainError `certificate_unreadable` when there is none or one is broken
 */
export function readCertificates(pem: string): [X509Certificate, ...X509Certificate[]] {
  if (pem.length > CERTIFICATE_LIMITS.pemBytes)
    throw unreadable(
      `at most ${CERTIFICATE_LIMITS.pemBytes} bytes of certificates are read, got ${pem.length}`,
    );
  const [first, ...others] = pem.match(PEM) ?? [];
  if (first === undefined) throw unreadable('there is none');
  return [readCertificate(first), ...others.map(readCertificate)];
}

function readCertificate(block: string): X509Certificate {
  try {
    return new X509Certificate(block);
  } catch (cause) {
    throw unreadable('one of them is broken', cause);
  }
}

const unreadable = (why: string, cause?: unknown) =>
  certificateError('certificate_unreadable', `Expected certificates in PEM form: ${why}`, undefined, cause);

const known = new WeakMap<X509Certificate, Promise<CertificateRules>>();

/** What a certificate's extensions say; read once each. @throws DomainError when they cannot be read */
export function rulesOf(certificate: X509Certificate): Promise<CertificateRules> {
  const rules = known.get(certificate) ?? readRules(certificate);
  known.set(certificate, rules);
  return rules;
}

async function readRules(certificate: X509Certificate): Promise<CertificateRules> {
  // The library's container of parsers does not load without it.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  try {
    const { extensions } = new x509.X509Certificate(certificate.raw);
    const one = <T>(type: abstract new (...args: never[]) => T): T | undefined =>
      extensions.find((extension): extension is typeof extension & T => extension instanceof type);
    const constraints = one(x509.BasicConstraintsExtension);
    const usage = one(x509.KeyUsagesExtension);
    const access = one(x509.AuthorityInfoAccessExtension);
    return {
      isAuthority: constraints?.ca ?? false,
      pathLength: constraints?.pathLength,
      signsCertificates: usage === undefined || (usage.usages & x509.KeyUsageFlags.keyCertSign) !== 0,
      usages: one(x509.ExtendedKeyUsageExtension)?.usages.map(String),
      notUnderstood: extensions
        .filter(({ type, critical }) => critical && !UNDERSTOOD.has(type))
        .map(({ type }) => type),
      ocspUrls: (access?.ocsp ?? []).filter(({ type }) => type === 'url').map(({ value }) => value),
    };
  } catch (cause) {
    throw unreadable('their extensions cannot be read', cause);
  }
}

/** Extensions whose meaning is kept here, or that only name things: key identifiers, usages, constraints, other names. */
const UNDERSTOOD = new Set([
  '2.5.29.14',
  '2.5.29.15',
  '2.5.29.17',
  '2.5.29.18',
  '2.5.29.19',
  '2.5.29.32',
  '2.5.29.35',
  '2.5.29.37',
  '1.3.6.1.5.5.7.1.1',
]);

/** The subject in one line, for people. Escape it before it is printed. */
export function subjectOf(certificate: X509Certificate): string {
  return certificate.subject.split('\n').join(', ');
}
