import type { X509Certificate } from 'node:crypto';
import { rulesOf, subjectOf } from './certificate.js';
import { certificateError } from './fault.js';
import { CERTIFICATE_LIMITS } from './limits.js';

/*
 * Paths from a certificate to a root that is trusted (RFC 5280 §6 as far as code signing needs it): names and signatures
 * fit, everybody between may sign certificates and is valid now, and every member allows code signing.
 */

export interface ChainOptions {
  readonly intermediates: readonly X509Certificate[];
  readonly roots: readonly X509Certificate[];
  readonly now: Date;
}

/** A certificate, those who signed it one after the other, and a trusted root at the end. */
export type Chain = readonly X509Certificate[];

const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const ANY_USAGE = '2.5.29.37.0';

/** SHA-1, MD5 and older: whoever can find collisions can forge a certificate. */
const WEAK = /md[245]|sha-?1(?!\d)|sha1with/i;

/**
 * All chains of a certificate that may sign code.
 * @throws DomainError `x509: certificate has expired or is not yet valid`, `x509: certificate signed by unknown authority`,
 * `x509: certificate specifies an incompatible key usage`
 */
export async function chainsOf(leaf: X509Certificate, options: ChainOptions): Promise<Chain[]> {
  const late = notValidNow(leaf, options.now);
  if (late !== undefined)
    throw certificateError(
      'certificate_expired',
      `x509: certificate has expired or is not yet valid: ${late}`,
    );
  const { notUnderstood } = await rulesOf(leaf);
  if (notUnderstood.length > 0)
    throw certificateError(
      'certificate_extension',
      `x509: unhandled critical extension: ${notUnderstood.join(', ')} of ${subjectOf(leaf)}`,
    );
  const search = new ChainSearch(options);
  await search.from([leaf]);
  if (search.found.length === 0)
    throw certificateError(
      'certificate_unknown_authority',
      `x509: certificate signed by unknown authority${search.hint === undefined ? '' : ` (${search.hint})`}`,
      'Name the certificates between it and a root with --certificate-intermediates, and roots with --certificate-roots.',
    );
  const usable: Chain[] = [];
  for (const chain of search.found) if (await mayAllSignCode(chain)) usable.push(chain);
  if (usable.length === 0)
    throw certificateError(
      'certificate_usage',
      'x509: certificate specifies an incompatible key usage: Expected one for code signing',
    );
  return usable;
}

class ChainSearch {
  readonly found: Chain[] = [];
  /** Why the last candidate was not taken: most often what a person has to repair. */
  hint: string | undefined;
  #checks = 0;

  constructor(private readonly options: ChainOptions) {}

  async from(path: Chain): Promise<void> {
    const current = path.at(-1);
    if (current === undefined) return;
    const { roots, intermediates } = this.options;
    if (roots.some((root) => root.raw.equals(current.raw))) {
      this.found.push(path);
      return;
    }
    for (const root of roots) if (await this.#signed(root, path)) this.found.push([...path, root]);
    if (path.length > CERTIFICATE_LIMITS.intermediates) return;
    for (const next of intermediates)
      if (!isIn(next, path) && !isIn(next, roots) && (await this.#signed(next, path)))
        await this.from([...path, next]);
  }

  /** Whether this authority signed the last certificate of a path, and may stand above it. */
  async #signed(authority: X509Certificate, path: Chain): Promise<boolean> {
    const child = path.at(-1);
    if (child === undefined || child.issuer !== authority.subject) return false;
    const why = await this.#whyNot(authority, child, path.length - 1);
    if (why !== undefined) this.hint = `${subjectOf(authority)}: ${why}`;
    return why === undefined;
  }

  async #whyNot(
    authority: X509Certificate,
    child: X509Certificate,
    below: number,
  ): Promise<string | undefined> {
    const rules = await rulesOf(authority);
    if (!rules.isAuthority) return 'it is no authority';
    if (!rules.signsCertificates) return 'its key may not sign certificates';
    if (rules.pathLength !== undefined && below > rules.pathLength)
      return `no more than ${rules.pathLength} authorities may stand below it`;
    if (rules.notUnderstood.length > 0)
      return `unhandled critical extension ${rules.notUnderstood.join(', ')}`;
    const late = notValidNow(authority, this.options.now);
    if (late !== undefined) return late;
    if (WEAK.test(child.signatureAlgorithm ?? '')) return `insecure algorithm ${child.signatureAlgorithm}`;
    this.#checks += 1;
    if (this.#checks > CERTIFICATE_LIMITS.signatureChecks)
      throw certificateError(
        'certificate_too_many',
        'x509: too many certificates that could be the authority',
      );
    return child.verify(authority.publicKey) ? undefined : 'its key did not sign the certificate below it';
  }
}

const isIn = (one: X509Certificate, list: readonly X509Certificate[]) =>
  list.some((other) => other.raw.equals(one.raw));

async function mayAllSignCode(chain: Chain): Promise<boolean> {
  for (const certificate of chain) {
    const { usages } = await rulesOf(certificate);
    if (usages !== undefined && !usages.includes(CODE_SIGNING) && !usages.includes(ANY_USAGE)) return false;
  }
  return true;
}

/** Why a certificate does not count at a time, or undefined. */
export function notValidNow(certificate: X509Certificate, now: Date): string | undefined {
  const { validFromDate, validToDate } = certificate;
  if (now < validFromDate) return `valid from ${validFromDate.toISOString()}, now is ${now.toISOString()}`;
  if (now > validToDate) return `valid until ${validToDate.toISOString()}, now is ${now.toISOString()}`;
  return undefined;
}
