import { type Certificate, readArmor, readCleanCertificate, readPackets, splitCertificates } from '#libs/pgp';

/** A certificate as this server has stored it, taken apart. Nothing is verified again. */
export async function parseStored(armor: string): Promise<Certificate> {
  const [raw] = splitCertificates(readArmor(armor).flatMap((block) => readPackets(block)));
  if (raw === undefined) throw new Error('a stored certificate is empty');
  return readCleanCertificate(raw);
}
