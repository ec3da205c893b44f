import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import type { Surroundings } from '#libs/cli';
import { systemClock } from '#libs/core';
import type { AskOcsp, KeySource, TrustedKey } from '#libs/signing';
import { quick } from '../key/asking.js';
import { GLOBAL_RING, openKeyRing } from '../key/ring.js';
import { askInOrder } from '../key/server.js';
import { Session } from '../session.js';
import { isTrustedFile } from '../trusted-file.js';

/** Keys of the person's own ring. */
export async function ringSource(place: Surroundings): Promise<KeySource> {
  const ring = await openKeyRing(place);
  return { origin: 'local', find: (keyId) => ring.publicKeysById(keyId) };
}

/** The same keys, without those of which the key server knows that they are revoked. */
export function unlessRevoked(place: Surroundings, url: string | undefined, source: KeySource): KeySource {
  return {
    origin: source.origin,
    find: async (keyId) => {
      const keys = await source.find(keyId);
      if (keys.length === 0) return keys;
      const { withoutRevoked } = await import('../key/revoked-since.js');
      return withoutRevoked(place, url, keys);
    },
  };
}

/**
 * Keys that the administrator of an installation trusts for everybody (SIF contract §2.9); none when there is no such file.
 * @param folder the installation's folder of configuration files
 * @throws DomainError when others could have put keys into the file
 */
export async function globalSource(
  { log }: Pick<Surroundings, 'log'>,
  folder: string,
): Promise<KeySource | undefined> {
  const path = join(folder, GLOBAL_RING);
  if (!(await isTrustedFile(path))) return undefined;
  const { RingFile } = await import('#libs/pgp');
  const ring = new RingFile(path, { private: false, warn: (message) => log.warning(message) });
  return { origin: 'global', find: (keyId) => ring.publicKeysById(keyId) };
}

/**
 * "Lookup order at verify: … local ring, then key server … The key is not stored" (SIF contract §2.9). Several are asked in their
 * order; one that answers with something that is no key has no answer.
 */
export function serverSource(place: Surroundings, url: string | undefined, hurried: boolean): KeySource {
  return {
    origin: 'remote',
    find: async (keyId) => {
      const patient = hurried ? quick(place) : place;
      const found = await askInOrder(patient, url, async (http) => {
        const [{ KeystoreClient }, { serverKeySource }] = await Promise.all([
          import('#libs/client'),
          import('#libs/signing'),
        ]);
        const keystore = new KeystoreClient(http);
        const keys = await serverKeySource((search) => keystore.get(search, { signal: patient.signal })).find(
          keyId,
        );
        return keys.length === 0 ? undefined : keys;
      });
      return found ?? [];
    },
  };
}

/** PEM texts of a certificate and of what leads from it to a root. */
export interface CertificateTexts {
  readonly certificate: string;
  readonly intermediates?: string | undefined;
  /** Those of the machine when absent. */
  readonly roots?: string | undefined;
  /** Ask responders whether one of them was revoked. */
  readonly ocsp: boolean;
}

/** The key of a certificate, when it is trusted. @throws DomainError when it is not */
export async function trustedKey(place: Surroundings, texts: CertificateTexts): Promise<TrustedKey> {
  const { certificateKey } = await import('#libs/signing');
  return certificateKey({
    certificate: texts.certificate,
    ...(texts.intermediates === undefined ? {} : { intermediates: texts.intermediates }),
    roots: texts.roots === undefined ? getCACertificates('system') : [texts.roots],
    clock: systemClock,
    ...(texts.ocsp ? { ocsp: ocspAsker(place) } : {}),
  });
}

/** Longest time that a responder may take, in milliseconds. */
const OCSP_TIMEOUT = 15_000;

function ocspAsker(place: Surroundings): AskOcsp {
  return async (url, request) => {
    const { CERTIFICATE_LIMITS } = await import('#libs/signing');
    const session = Session.withoutRemote(place, url);
    try {
      const client = await session.at(url, { authorize: false });
      const answer = await client.request({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/ocsp-request', accept: 'application/ocsp-response' },
        body: Buffer.from(request),
        follow: false,
        accept: [200],
        timeout: OCSP_TIMEOUT,
        signal: place.signal,
      });
      return await answer.bytes(CERTIFICATE_LIMITS.ocspBytes);
    } finally {
      await session.close();
    }
  };
}
