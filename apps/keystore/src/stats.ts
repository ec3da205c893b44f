import type { ScsConfig } from '#libs/config';
import type { KeystoreStats } from '#libs/contract';
import { PACKET_LIMITS } from '#libs/pgp';
import { LIMITS } from './limits.js';

/** What the keystore takes and lets ask: nobody has to find that out by being refused. */
export function statsOf({ version, keystore }: ScsConfig): KeystoreStats {
  return {
    software: 'SCS keystore',
    version,
    reads: keystore.reads,
    anonymous: keystore.anonymous,
    rates: {
      addsPerHour: keystore.adds,
      searchesPerSecond: keystore.searches,
      getsPerSecond: keystore.gets,
    },
    limits: {
      uploadBytes: LIMITS.uploadBytes,
      certificateBytes: PACKET_LIMITS.certificateBytes,
      certificates: PACKET_LIMITS.certificates,
    },
  };
}

/** The same as lines of text. */
export function statsText({ software, version, reads, anonymous, rates }: KeystoreStats): string {
  return [
    `${software} ${version}`,
    `reads: ${reads}`,
    `anonymous uploads: ${anonymous}`,
    `uploads of an account in an hour: ${rates.addsPerHour}`,
    `searches from an address in a second: ${rates.searchesPerSecond}`,
    `keys fetched from an address in a second: ${rates.getsPerSecond}`,
    '',
  ].join('\n');
}
