import { systemCode } from './errors.js';

/** Why the certificate of the other end was not accepted. */
export type CertificateFault =
  /** Nobody that is trusted here vouches for it. */
  | 'untrusted'
  | 'expired'
  /** Its time has not begun; usually a clock is wrong. */
  | 'not_yet_valid'
  /** It is good for other names than the one that was asked for. */
  | 'other_name';

export interface CertificateProblem {
  readonly fault: CertificateFault;
  /** OpenSSL's or Node's code. */
  readonly code: string;
  /** For `other_name`: the names and addresses that it is good for, where they are known. */
  readonly names: readonly string[];
}

const FAULTS: Readonly<Record<string, CertificateFault>> = {
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not_yet_valid',
  ERR_TLS_CERT_ALTNAME_INVALID: 'other_name',
  HOSTNAME_MISMATCH: 'other_name',
  CERT_SIGNATURE_FAILURE: 'untrusted',
  CERT_UNTRUSTED: 'untrusted',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'untrusted',
  INVALID_CA: 'untrusted',
  INVALID_PURPOSE: 'untrusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'untrusted',
  UNABLE_TO_GET_ISSUER_CERT: 'untrusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'untrusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'untrusted',
};

/** Errors nest, never deeply. */
const DEEPEST = 8;

/** What an error of a connection says about the certificate of the other end, in itself or in its causes; undefined for other errors. */
export function certificateProblem(error: unknown): CertificateProblem | undefined {
  return search(error, DEEPEST);
}

function search(error: unknown, depth: number): CertificateProblem | undefined {
  if (!(error instanceof Error) || depth === 0) return undefined;
  const code = systemCode(error) ?? '';
  const fault = FAULTS[code];
  if (fault !== undefined) return { fault, code, names: namesOf(error) };
  const inner: unknown[] = error instanceof AggregateError ? error.errors : [];
  for (const one of [...inner, error.cause]) {
    const found = search(one, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Node hands the certificate along with its refusal of a name. */
function namesOf(error: Error): string[] {
  const { cert } = error as { cert?: { subjectaltname?: unknown } };
  if (typeof cert?.subjectaltname !== 'string') return [];
  return [...cert.subjectaltname.matchAll(/(?:DNS|IP Address):([^,\s"]+)/g)].map(([, name]) => name ?? '');
}
