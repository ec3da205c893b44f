import type { KeyObject } from 'node:crypto';
import type { Surroundings } from '#libs/cli';
import { systemClock } from '#libs/core';
import type { KeySource, Selection, VerifyResult } from '#libs/signing';
import { configurationFolder } from '../installation.js';
import {
  globalSource,
  ringSource,
  serverSource,
  trustedKey,
  unlessRevoked,
  type CertificateTexts,
} from './verification-keys.js';

export interface VerifyRequest extends Selection {
  /** Absolute path of the image. */
  readonly path: string;
  /** Keys of the own ring only: no request leaves the machine. */
  readonly local: boolean;
  /** Another key server than that of the remote. */
  readonly url?: string | undefined;
  /** PEM public key for signatures made with one; OpenPGP signatures are then not looked at. */
  readonly publicKey?: string | undefined;
  /** The same with the key of a certificate. */
  readonly certificate?: CertificateTexts | undefined;
  /** Key servers are not waited for long. */
  readonly hurried?: boolean;
  /** Also look for what no signature covers: see `VerifyOptions`. */
  readonly outside?: boolean;
}

/**
 * Verifies an image with the keys of the installation, of the own ring and, unless it is to stay local, of the key server;
 * or with the one key that was named.
 */
export async function verifyFile(place: Surroundings, request: VerifyRequest): Promise<VerifyResult> {
  const { path, local, url, publicKey, certificate, hurried = false, ...selection } = request;
  const [{ verifyImage, readPublicKey }, { withSifFile }] = await Promise.all([
    import('#libs/signing'),
    import('#libs/sif'),
  ]);
  const { signal } = place;
  const dsse = [
    ...(publicKey === undefined ? [] : [readPublicKey(publicKey)]),
    ...(certificate === undefined ? [] : [await certifiedKey(place, certificate)]),
  ];
  const keys = dsse.length > 0 ? { dsse } : { pgp: await sources(place, { local, url, hurried }) };
  const result = await withSifFile(path, (access) =>
    verifyImage(access, { ...selection, ...keys, clock: systemClock, signal }),
  );
  for (const warning of result.warnings) place.log.warning(warning);
  return result;
}

async function certifiedKey(place: Surroundings, texts: CertificateTexts): Promise<KeyObject> {
  const { key, subject } = await trustedKey(place, texts);
  place.log.info(`The certificate is trusted: ${subject}`);
  return key;
}

async function sources(
  place: Surroundings,
  { local, url, hurried }: { local: boolean; url: string | undefined; hurried: boolean },
): Promise<KeySource[]> {
  const everybodys = await globalSource(place, configurationFolder());
  const stored = [...(everybodys === undefined ? [] : [everybodys]), await ringSource(place)];
  if (local) return stored;
  return [...stored.map((source) => unlessRevoked(place, url, source)), serverSource(place, url, hurried)];
}
