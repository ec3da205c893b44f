import type { KeyObject, X509Certificate } from 'node:crypto';
import type { Clock } from '#libs/core';
import { checkedKey } from '../dsse/key.js';
import { readCertificates, subjectOf } from './certificate.js';
import { chainsOf } from './chain.js';
import { certificateError } from './fault.js';
import { checkRevocation, type AskOcsp } from './ocsp/check.js';

export interface CertificateOptions {
  /** PEM text with the certificate of whoever signed. */
  readonly certificate: string;
  /** PEM text with authorities between it and a root. */
  readonly intermediates?: string;
  /** PEM texts with the roots that are trusted. */
  readonly roots: readonly string[];
  readonly clock: Clock;
  /** Asks responders whether a certificate was revoked; nobody is asked without it. */
  readonly ocsp?: AskOcsp;
}

/** The key of a certificate that is trusted for signing code, for `verifyImage`. */
export interface TrustedKey {
  readonly key: KeyObject;
  /** Whose it is. Escape it before it is printed. */
  readonly subject: string;
}

/**
 * Takes a certificate for good: it leads to a trusted root, is valid now, may sign code and, where that is asked for, was
 * not revoked (SIF contract §2.6).
 * @throws DomainError with exit status 255 and the reason
 */
export async function certificateKey(options: CertificateOptions): Promise<TrustedKey> {
  const [leaf, ...more] = readCertificates(options.certificate);
  const now = options.clock.now();
  const chains = await chainsOf(leaf, {
    // Some tools write the authorities behind the certificate.
    intermediates: distinct([
      ...more,
      ...(options.intermediates === undefined ? [] : readCertificates(options.intermediates)),
    ]),
    roots: distinct(options.roots.flatMap((pem) => readCertificates(pem))),
    now,
  });
  if (options.ocsp !== undefined) {
    const [chain] = chains;
    if (chain === undefined || chains.length > 1)
      throw certificateError(
        'certificate_ambiguous',
        `x509: Expected one chain to ask about revocation, got ${chains.length}`,
        'Name one root with --certificate-roots.',
      );
    await checkRevocation(chain, options.ocsp, now);
  }
  return { key: checkedKey(leaf.publicKey), subject: subjectOf(leaf) };
}

/** Each certificate once: the same one twice would make two chains of one. */
function distinct(certificates: readonly X509Certificate[]): X509Certificate[] {
  return [...new Map(certificates.map((one) => [one.fingerprint256, one])).values()];
}
