import type { X509Certificate } from 'node:crypto';
import { messageOf } from '#libs/core';
import { rulesOf, subjectOf } from '../certificate.js';
import { notValidNow, type Chain } from '../chain.js';
import { certificateError } from '../fault.js';
import { CERTIFICATE_LIMITS } from '../limits.js';
import { certificateId, keyHash, ocspRequest, subjectName } from './request.js';
import { isSignedBy, readResponse, type OcspAnswer, type OcspResponse } from './response.js';

/** Sends an OCSP request to a responder and returns its answer. Throws when there is none. */
export type AskOcsp = (url: string, request: Uint8Array) => Promise<Uint8Array>;

const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9';

/**
 * Asks, for every certificate of a chain but its root, whether it was revoked. Whatever is not a fresh and signed "good"
 * ends it: no answer is no permission (SIF contract §2.6, "fails closed").
 * @throws DomainError
 */
export async function checkRevocation(chain: Chain, ask: AskOcsp, now: Date): Promise<void> {
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1];
    if (issuer !== undefined) await checkOne(certificate, issuer, ask, now);
    // A root has nobody above who could answer for it; anything else that is trusted has, but it is not known who.
    else if (certificate.issuer !== certificate.subject)
      throw refused(certificate, 'the authority that signed it is not known');
  }
}

async function checkOne(certificate: X509Certificate, issuer: X509Certificate, ask: AskOcsp, now: Date) {
  const { ocspUrls } = await rulesOf(certificate);
  const [url] = ocspUrls;
  if (url === undefined) throw refused(certificate, 'it names no OCSP responder');
  const id = certificateId(certificate, issuer);
  let response: OcspResponse;
  try {
    const bytes = Buffer.from(await ask(url, ocspRequest(id)));
    if (bytes.length > CERTIFICATE_LIMITS.ocspBytes)
      throw new Error(`at most ${CERTIFICATE_LIMITS.ocspBytes} bytes are read, got ${bytes.length}`);
    response = readResponse(bytes);
  } catch (cause) {
    throw refused(certificate, `no answer from ${url}: ${messageOf(cause)}`, cause);
  }
  if (!(await isFromAuthority(response, issuer, now)))
    throw refused(certificate, `the answer from ${url} is not signed by its authority`);
  const answer = response.answers.find((one) => one.id.equals(id));
  if (answer === undefined) throw refused(certificate, `the answer from ${url} is about another certificate`);
  const stale = notFresh(answer, now);
  if (stale !== undefined) throw refused(certificate, `the answer from ${url} ${stale}`);
  if (answer.status === 'good') return;
  if (answer.status === 'unknown') throw refused(certificate, `${url} does not know it`);
  throw certificateError(
    'certificate_revoked',
    `x509: certificate revoked: ${subjectOf(certificate)} at ${answer.revokedAt?.toISOString() ?? 'an unknown time'}`,
    'Do not trust what was signed with it.',
  );
}

const refused = (certificate: X509Certificate, why: string, cause?: unknown) =>
  certificateError(
    'certificate_revocation_unknown',
    `x509: whether ${subjectOf(certificate)} was revoked is not known: ${why}`,
    'Without --ocsp-verify nobody is asked.',
    cause,
  );

/** The authority itself, or somebody to whom it gave a certificate for just that (RFC 6960 §4.2.2.2). */
async function isFromAuthority(response: OcspResponse, issuer: X509Certificate, now: Date): Promise<boolean> {
  if (answersAs(response, issuer) && isSignedBy(response, issuer.publicKey)) return true;
  for (const certificate of response.certificates) {
    if (!answersAs(response, certificate) || certificate.issuer !== issuer.subject) continue;
    const { usages, notUnderstood } = await rulesOf(certificate);
    if (usages?.includes(OCSP_SIGNING) !== true || notUnderstood.length > 0) continue;
    if (notValidNow(certificate, now) !== undefined || !certificate.verify(issuer.publicKey)) continue;
    if (isSignedBy(response, certificate.publicKey)) return true;
  }
  return false;
}

function answersAs({ responder }: OcspResponse, certificate: X509Certificate): boolean {
  return 'name' in responder
    ? responder.name.equals(subjectName(certificate))
    : responder.keyHash.equals(keyHash(certificate));
}

function notFresh({ thisUpdate, nextUpdate }: OcspAnswer, now: Date): string | undefined {
  const { ocspAge, ocspClockSkew } = CERTIFICATE_LIMITS;
  if (thisUpdate.getTime() > now.getTime() + ocspClockSkew) return 'is from the future';
  const until = nextUpdate?.getTime() ?? thisUpdate.getTime() + ocspAge;
  return now.getTime() > until + ocspClockSkew
    ? `is too old: it counted until ${new Date(until).toISOString()}`
    : undefined;
}
