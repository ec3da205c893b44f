import type { Config } from 'openpgp';

export type OpenPgp = typeof import('openpgp');

let loaded: Promise<OpenPgp> | undefined;

/** OpenPGP.js, loaded when it is needed for the first time: 30 ms that programs without keys do not spend. */
export function loadOpenPgp(): Promise<OpenPgp> {
  return (loaded ??= import('openpgp'));
}

/**
 * The settings for everything we sign and make: SHA-256 whatever the key prefers, as the stock tools do (SIF contract
 * §2.5), and no armor lines about ourselves.
 */
export function signConfig(openpgp: OpenPgp, salt = true): Config {
  return {
    ...openpgp.config,
    preferredHashAlgorithm: openpgp.enums.hash.sha256,
    nonDeterministicSignaturesViaNotation: salt,
    showVersion: false,
    showComment: false,
  };
}
