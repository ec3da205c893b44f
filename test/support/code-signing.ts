import 'reflect-metadata';
import { KeyObject, randomBytes, sign, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { DerTag, write } from '../../libs/signing/src/x509/ocsp/der.js';
import { certificateId, keyHash, subjectName } from '../../libs/signing/src/x509/ocsp/request.js';

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

export interface OcspAnswerOptions {
  readonly status?: Buffer;
  readonly signer?: TestCertificate;
  readonly by?: 'name' | 'key';
  readonly certificates?: readonly TestCertificate[];
  readonly about?: Buffer;
  readonly thisUpdate?: string;
  /** Empty: it does not say. */
  readonly nextUpdate?: string;
  readonly extensions?: Buffer;
  readonly algorithm?: string;
}

export const OCSP_GOOD = write(DerTag.implicit(0));
export const OCSP_UNKNOWN = write(DerTag.implicit(2));
const time = (text: string) => write(DerTag.generalizedTime, Buffer.from(text));
export const ocspRevoked = (when: string) => write(DerTag.explicit(1), time(when));

/** An OCSP answer about a certificate: good, fresh and signed by its authority, unless the options say otherwise. */
export async function ocspAnswer(
  leaf: TestCertificate,
  root: TestCertificate,
  options: OcspAnswerOptions = {},
): Promise<Buffer> {
  const signer = options.signer ?? root;
  const next = options.nextUpdate ?? '20261126000000Z';
  const single = write(
    DerTag.sequence,
    options.about ?? certificateId(leaf.certificate, root.certificate),
    options.status ?? OCSP_GOOD,
    time(options.thisUpdate ?? '20261125000000Z'),
    ...(next === '' ? [] : [write(DerTag.explicit(0), time(next))]),
    ...(options.extensions === undefined ? [] : [options.extensions]),
  );
  const responder =
    options.by === 'key'
      ? write(DerTag.explicit(2), write(DerTag.octetString, keyHash(signer.certificate)))
      : write(DerTag.explicit(1), subjectName(signer.certificate));
  const data = write(DerTag.sequence, responder, time('20261125000000Z'), write(DerTag.sequence, single));
  // ecdsa-with-SHA256
  const algorithm = write(
    DerTag.sequence,
    write(DerTag.oid, Buffer.from(options.algorithm ?? '2a8648ce3d040302', 'hex')),
  );
  const basic = write(
    DerTag.sequence,
    data,
    algorithm,
    write(DerTag.bitString, Buffer.of(0), sign('sha256', data, KeyObject.from(signer.keys.privateKey))),
    ...(options.certificates === undefined
      ? []
      : [
          write(
            DerTag.explicit(0),
            write(DerTag.sequence, ...options.certificates.map(({ certificate }) => certificate.raw)),
          ),
        ]),
  );
  const bytes = write(
    DerTag.sequence,
    write(DerTag.oid, Buffer.from('2b0601050507300101', 'hex')),
    write(DerTag.octetString, basic),
  );
  return write(DerTag.sequence, write(DerTag.enumerated, Buffer.of(0)), write(DerTag.explicit(0), bytes));
}
