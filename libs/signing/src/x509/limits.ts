/** Everything about certificates that is read from outside is bounded by these. */
export const CERTIFICATE_LIMITS = {
  /** Bytes of a file with certificates. */
  pemBytes: 4 * 1024 * 1024,
  /** Certificates between leaf and root. */
  intermediates: 8,
  /** Signatures of certificates that are checked while a chain is looked for. */
  signatureChecks: 100,
  /** Bytes of an OCSP answer. */
  ocspBytes: 64 * 1024,
  /** Answers of a responder may be this many milliseconds from the future: its clock is another one. */
  ocspClockSkew: 5 * 60 * 1000,
  /** Milliseconds that an OCSP answer counts when it does not say until when it does. */
  ocspAge: 24 * 60 * 60 * 1000,
} as const;
