import { verify as verifySignature, X509Certificate, type KeyObject } from 'node:crypto';
import { bitsOf, DerError, DerTag, expectTag, oidText, partsOf, readOne, timeOf, type Der } from './der.js';

/** What an OCSP answer says, before anybody decided whether to believe it (RFC 6960 §4.2.1). */
export interface OcspResponse {
  /** The bytes that the responder signed. */
  readonly signed: Buffer;
  readonly algorithm: string;
  readonly signature: Buffer;
  /** Certificates that the responder sent along: its own, if the authority let somebody else answer. */
  readonly certificates: readonly X509Certificate[];
  readonly responder: { readonly name: Buffer } | { readonly keyHash: Buffer };
  readonly answers: readonly OcspAnswer[];
}

export interface OcspAnswer {
  /** The certificate it is about: see `certificateId`. */
  readonly id: Buffer;
  readonly status: 'good' | 'revoked' | 'unknown';
  readonly revokedAt?: Date;
  readonly thisUpdate: Date;
  readonly nextUpdate?: Date;
}

/** Why there is no answer, by its number (RFC 6960 §4.2.1). */
const STATUSES = new Map([
  [1, 'malformedRequest'],
  [2, 'internalError'],
  [3, 'tryLater'],
  [5, 'sigRequired'],
  [6, 'unauthorized'],
]);
const BASIC = '1.3.6.1.5.5.7.48.1.1';

/** Reads an answer. @throws DerError also when the responder says that it has no answer */
export function readResponse(bytes: Buffer): OcspResponse {
  const [status, wrapped] = partsOf(readOne(bytes, DerTag.sequence));
  const code = expectTag(status, DerTag.enumerated).body[0] ?? 255;
  if (code !== 0) throw new DerError(`the responder says ${STATUSES.get(code) ?? code}`);
  const [inner] = partsOf(wrapped, DerTag.explicit(0));
  const [type, octets] = partsOf(inner);
  if (oidText(type) !== BASIC) throw new DerError('the answer is of an unknown kind');
  const body = expectTag(octets, DerTag.octetString).body;
  const [data, algorithm, signature, certificates] = partsOf(readOne(body, DerTag.sequence));
  const signed = expectTag(data, DerTag.sequence);
  return {
    signed: signed.raw,
    algorithm: oidText(partsOf(algorithm)[0]),
    signature: bitsOf(signature),
    certificates: certificatesIn(certificates),
    ...responseData(signed),
  };
}

function certificatesIn(value: Der | undefined): X509Certificate[] {
  if (value === undefined) return [];
  const [list] = partsOf(value, DerTag.explicit(0));
  return partsOf(list).map(({ raw }) => {
    try {
      return new X509Certificate(raw);
    } catch (cause) {
      throw new DerError('a certificate of the responder is broken', { cause });
    }
  });
}

function responseData(signed: Der): Pick<OcspResponse, 'responder' | 'answers'> {
  const fields = partsOf(signed);
  if (fields[0]?.tag === DerTag.explicit(0)) fields.shift();
  const [responder, producedAt, answers, extensions] = fields;
  timeOf(producedAt);
  refuseCritical(extensions);
  return { responder: responderOf(responder), answers: partsOf(answers).map(answerOf) };
}

function responderOf(value: Der | undefined): OcspResponse['responder'] {
  if (value?.tag === DerTag.explicit(1)) return { name: value.body };
  const [hash] = partsOf(value, DerTag.explicit(2));
  return { keyHash: expectTag(hash, DerTag.octetString).body };
}

function answerOf(value: Der): OcspAnswer {
  const [id, status, thisUpdate, ...rest] = partsOf(value);
  const next = rest[0]?.tag === DerTag.explicit(0) ? rest.shift() : undefined;
  refuseCritical(rest[0]);
  return {
    id: expectTag(id, DerTag.sequence).raw,
    ...statusOf(status),
    thisUpdate: timeOf(thisUpdate),
    ...(next === undefined ? {} : { nextUpdate: timeOf(partsOf(next, DerTag.explicit(0))[0]) }),
  };
}

function statusOf(value: Der | undefined): Pick<OcspAnswer, 'status' | 'revokedAt'> {
  if (value?.tag === DerTag.implicit(0)) return { status: 'good' };
  if (value?.tag === DerTag.implicit(2)) return { status: 'unknown' };
  return { status: 'revoked', revokedAt: timeOf(partsOf(value, DerTag.explicit(1))[0]) };
}

/** No extension of an answer is understood here, so none may be one that has to be. */
function refuseCritical(value: Der | undefined): void {
  if (value === undefined) return;
  const [list] = partsOf(value, DerTag.explicit(1));
  for (const extension of partsOf(list)) {
    const [, critical] = partsOf(extension);
    if (critical?.tag === DerTag.boolean && critical.body[0] !== 0)
      throw new DerError('the answer has a critical extension that is not understood');
  }
}

/** Hashes by signature algorithm; null: the algorithm has its own. What is missing is too weak, or not used by responders. */
const HASHES = new Map<string, string | null>([
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.3.101.112', null],
]);

/** Whether a key made the signature of an answer. Weak hashes count as no signature. */
export function isSignedBy({ algorithm, signed, signature }: OcspResponse, key: KeyObject): boolean {
  const hash = HASHES.get(algorithm);
  if (hash === undefined) return false;
  try {
    return verifySignature(hash, signed, key, signature);
  } catch {
    // A key of another kind than the algorithm says.
    return false;
  }
}
