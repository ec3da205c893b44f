import { type Certificate, readArmor, readCleanCertificate, readPackets, splitCertificates } from '#libs/pgp';
import type { StoredCertificate } from './collections.store.js';

/** A certificate as this server has stored it, taken apart. Nothing is verified again. */
export async function parseStored({
  armor,
  withheld,
}: Pick<StoredCertificate, 'armor' | 'withheld'>): Promise<Certificate> {
  const parts = [...readArmor(armor), Buffer.from(withheld ?? '', 'base64')];
  const [raw] = splitCertificates(parts.flatMap((part) => readPackets(part)));
  if (raw === undefined) throw new Error('a stored certificate is empty');
  return readCleanCertificate(raw);
}
