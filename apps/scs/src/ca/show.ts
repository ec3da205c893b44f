import { defineCommand, jsonFlag, type Output, printable } from '#libs/cli';
import { certificatesOf, type ShownCertificate } from './certificates.js';

export const caShow = defineCommand({
  name: 'show',
  summary: 'show the authority that clients have to trust, and the certificate of the server',
  description:
    'Prints fingerprint, end and names, and the authority in PEM: what is printed can be saved as it is and handed to clients. ' +
    'The fingerprint is what people compare who got the authority over the network. Works also while the instance is stopped.',
  flags: {
    pem: { type: 'boolean', summary: 'print the PEM text alone' },
    ...jsonFlag,
  },
  examples: [
    { line: 'scs ca show', summary: 'what to tell people' },
    { line: 'scs ca show --pem > scs-ca.pem', summary: 'what to give them' },
  ],
  async run(ctx) {
    const { flags, out, log } = ctx;
    const certificates = await certificatesOf(ctx);
    if (flags.json) {
      out.json({ certificates });
      return;
    }
    const authorities = certificates.filter(({ role }) => role === 'authority');
    if (!flags.pem) for (const certificate of certificates) describe(out, certificate);
    for (const { pem } of authorities) out.text(pem ?? '');
    if (authorities.length === 0)
      log.info(
        'The instance has no authority of its own: clients need nothing if everybody trusts the issuer of its certificate.',
      );
  },
});

function describe(out: Output, certificate: ShownCertificate): void {
  const { role, subject, names, fingerprint, validUntil, file } = certificate;
  out.line(`${role.padEnd(12)} ${printable(subject)}`);
  out.line(`fingerprint  ${fingerprint} (SHA-256)`);
  out.line(`until        ${validUntil}`);
  if (names.length > 0) out.line(`names        ${printable(names.join(', '))}`);
  if (file !== null) out.line(`file         ${file}`);
  out.line();
}
