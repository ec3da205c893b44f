import type { Header } from '#libs/deffile';
import { messageOf } from '#libs/core';
import { readFingerprints, requiredSignersError } from '#libs/signing';
import { buildFailure } from '../failure.js';
import type { BuildLog } from '../log.js';
import type { VerifyBase } from './base.js';

export interface CheckSigners {
  /** Undefined: nobody verifies here. */
  readonly verify: VerifyBase | undefined;
  /** Bases of which nothing is asked are looked at, too: what is wrong with them is a warning. */
  readonly warn: boolean;
  readonly log: BuildLog;
  readonly signal: AbortSignal | undefined;
}

/** Who must have signed the base of a stage; empty: nothing is asked of it. */
export const requiredSigners = (header: Header): string[] =>
  readFingerprints(header.get('fingerprints') ?? '');

/**
 * Checks who signed a base: all that `fingerprints:` names must have signed all of it (definition contract §11). Otherwise "a bad
 * signature only warns and a missing one is silent" (SIF contract §2.11).
 * @param path of the very file that the build will use
 * @param sif whether it is an image that can be signed; "Base not SIF: ignored", and that is said
 * @throws DomainError when they have not
 */
export async function checkSigners(
  header: Header,
  { path, sif }: { readonly path: string; readonly sif: boolean },
  { verify, warn, log, signal }: CheckSigners,
): Promise<void> {
  const required = requiredSigners(header);
  const from = header.get('from') ?? '';
  if (!sif) {
    if (required.length > 0)
      log.warning(`fingerprints: says nothing about ${from}: only SIF files can be signed, and it is none`);
    return;
  }
  if (verify === undefined) {
    if (required.length > 0) throw buildFailure(`The signers of ${from} cannot be checked here`);
    return;
  }
  if (required.length === 0) {
    if (warn) await lookAt(path, verify, log, signal);
    return;
  }
  const result = await verify(path, { required: true, signal });
  for (const warning of result.warnings) log.warning(warning);
  const error = requiredSignersError(result, required);
  if (error !== undefined) throw error;
  log.info(`${from} is signed by ${required.join(', ')}`);
}

async function lookAt(
  path: string,
  verify: VerifyBase,
  log: BuildLog,
  signal: AbortSignal | undefined,
): Promise<void> {
  const warnOf = (why: string): void =>
    log.warning(`Bootstrap image could not be verified, but build will continue: ${why}`);
  try {
    const { failure } = await verify(path, { required: false, signal });
    const unsigned = failure?.reason === 'signature_not_found' || failure?.reason === 'no_groups';
    if (failure !== undefined && !unsigned) warnOf(failure.message);
  } catch (error) {
    signal?.throwIfAborted();
    warnOf(messageOf(error));
  }
}
