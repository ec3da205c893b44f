import { createHash, type X509Certificate } from 'node:crypto';
import { bitsOf, DerTag, partsOf, readOne, write, type Der } from './der.js';

/** `1.3.14.3.2.26`, SHA-1: it only names the certificate here, which is what every responder understands. */
const SHA1 = write(DerTag.sequence, write(DerTag.oid, Buffer.from('2b0e03021a', 'hex')), write(DerTag.null));

/**
 * How OCSP names a certificate: by its authority's name and key, and its serial number (RFC 6960 §4.1.1).
 * @param issuer the certificate of its authority
 */
export function certificateId(certificate: X509Certificate, issuer: X509Certificate): Buffer {
  const { serial } = fieldsOf(certificate);
  const { subject, keyInfo } = fieldsOf(issuer);
  const [, key] = partsOf(keyInfo);
  return write(
    DerTag.sequence,
    SHA1,
    write(DerTag.octetString, sha1(subject.raw)),
    write(DerTag.octetString, sha1(bitsOf(key))),
    serial.raw,
  );
}

/** An OCSP request about one certificate, without a signature and without a nonce, as responders serve it from caches. */
export function ocspRequest(id: Buffer): Buffer {
  const request = write(DerTag.sequence, id);
  return write(DerTag.sequence, write(DerTag.sequence, write(DerTag.sequence, request)));
}

/** Hash of the key of a certificate, as a responder names itself (RFC 6960 §4.2.1). */
export function keyHash(certificate: X509Certificate): Buffer {
  const [, key] = partsOf(fieldsOf(certificate).keyInfo);
  return sha1(bitsOf(key));
}

/** The name of a certificate's subject, as it stands there. */
export function subjectName(certificate: X509Certificate): Buffer {
  return fieldsOf(certificate).subject.raw;
}

function fieldsOf(certificate: X509Certificate): { serial: Der; subject: Der; keyInfo: Der } {
  const [signed] = partsOf(readOne(certificate.raw, DerTag.sequence));
  const fields = partsOf(signed);
  // The version is left out in certificates of version 1.
  const [serial, , , , subject, keyInfo] = fields[0]?.tag === DerTag.explicit(0) ? fields.slice(1) : fields;
  if (serial === undefined || subject === undefined || keyInfo === undefined)
    throw new TypeError('a certificate that Node reads lacks fields');
  return { serial, subject, keyInfo };
}

const sha1 = (bytes: Uint8Array): Buffer => createHash('sha1').update(bytes).digest();
