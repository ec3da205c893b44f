/** A thread that checks the signatures of certificates in bulk, so that look-ups do not wait for an import. */
import { parentPort } from 'node:worker_threads';
import { DomainError } from '#libs/core';
import { cleanCertificate, readPackets, splitCertificates, writeCertificate, writeWithheld } from '#libs/pgp';
import { primaryFingerprint } from './primary-fingerprint.js';
import type { Verified, VerifyReply, VerifyTask } from './verify-messages.js';

const port = parentPort;
if (port === null) throw new Error('Certificates in bulk are checked in a worker thread only');

port.on('message', (task: VerifyTask) => void answer(task));

async function answer({ number, certificates, now }: VerifyTask): Promise<void> {
  const results: Verified[] = [];
  for (const certificate of certificates) results.push(await verify(certificate, new Date(now)));
  port?.postMessage({ number, results } satisfies VerifyReply);
}

async function verify(bytes: Uint8Array, now: Date): Promise<Verified> {
  try {
    const [raw] = splitCertificates(readPackets(bytes));
    if (raw === undefined) throw new Error('a certificate without a key');
    const certificate = await cleanCertificate(raw, { now: () => now });
    const cleaned = Buffer.concat([writeCertificate(certificate), writeWithheld(certificate)]);
    // A copy: small buffers are parts of a larger one, which would go along.
    return { bytes: new Uint8Array(cleaned) };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { fingerprint: primaryFingerprint(bytes), message: error.message };
  }
}
