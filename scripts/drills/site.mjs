import { randomBytes, webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

const KEY = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR = 3_600_000;

x509.cryptoProvider.set(webcrypto);

const serial = () => `01${randomBytes(8).toString('hex')}`;
const newKeys = () => webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);

/**
 * The authority of a site, as it should be: its key is with nobody, each process has a certificate and a key of its own.
 * @param folder where `ca.pem` and the files of {@link issue} go
 */
export async function makeSite(folder) {
  const keys = await newKeys();
  const notBefore = new Date(Date.now() - HOUR);
  const notAfter = new Date(Date.now() + 24 * HOUR);
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [`authority of a drill ${serial()}`] }],
    notBefore,
    notAfter,
    signingAlgorithm: KEY,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const caFile = join(folder, 'ca.pem');
  const ca = authority.toString('pem');
  writeFileSync(caFile, ca);
  return {
    ca,
    caFile,
    /** A certificate for `localhost` and its key, as `<name>.pem` and `<name>.key`. */
    async issue(name) {
      const own = await newKeys();
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: serial(),
        subject: [{ CN: [name] }],
        issuer: authority.subject,
        notBefore,
        notAfter,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: KEY,
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            { type: 'dns', value: 'localhost' },
            { type: 'ip', value: '127.0.0.1' },
          ]),
        ],
      });
      const der = await webcrypto.subtle.exportKey('pkcs8', own.privateKey);
      const cert = certificate.toString('pem');
      const key = x509.PemConverter.encode(der, 'PRIVATE KEY');
      const files = { certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) };
      writeFileSync(files.certFile, cert);
      writeFileSync(files.keyFile, key, { mode: 0o600 });
      return { cert, key, ...files };
    },
  };
}
