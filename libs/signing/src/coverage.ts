import { DataType, groupOf, groupsOf, linkOf, type Descriptor } from '#libs/sif';
import type { FailureReason } from './fault.js';
import type { SignatureReport, VerifyResult } from './result.js';

/**
 * What a verification says about one object:
 * - `covered`: descriptor and data are what a good signature says
 * - `changed`: a good signature says something else about it
 * - `left_out`: its group is signed, but a signature does not name it
 * - `unsigned`: no signature can cover it, it is in no group or nobody signed the group
 * - `not_checked`: signatures of its group exist that were not looked at, or not to the end
 */
export type CoverageState = 'covered' | 'changed' | 'left_out' | 'unsigned' | 'not_checked';

export interface ObjectCoverage {
  readonly descriptor: Descriptor;
  readonly state: CoverageState;
  /** The signatures that cover it. */
  readonly signatures: readonly SignatureReport[];
}

const CHANGED: readonly FailureReason[] = ['data_compromised', 'descriptor_compromised'];

/** For every object that signatures can cover, in table order: by which it is covered, or why by none. */
export function coverageOf({ image, signatures }: VerifyResult): ObjectCoverage[] {
  const signed = new Set(
    image.descriptors.flatMap((one) => {
      const link = one.type === DataType.signature ? linkOf(one) : undefined;
      return link?.kind === 'group' ? [link.id] : [];
    }),
  );
  const covering = new Map<Descriptor, SignatureReport[]>();
  for (const report of signatures)
    for (const one of report.verified) covering.set(one, [...(covering.get(one) ?? []), report]);
  const changed = new Set(
    signatures.flatMap(({ failedObject, failure }) =>
      failedObject !== undefined && failure !== undefined && CHANGED.includes(failure.reason)
        ? [failedObject]
        : [],
    ),
  );
  const leftOut = new Set(signatures.flatMap((report) => report.leftOut ?? []));
  return image.descriptors
    .filter((one) => one.type !== DataType.signature || groupOf(one) !== 0)
    .map((descriptor) => {
      const by = covering.get(descriptor) ?? [];
      const state = (): CoverageState => {
        if (changed.has(descriptor)) return 'changed';
        if (by.length > 0) return 'covered';
        if (leftOut.has(descriptor)) return 'left_out';
        return signed.has(groupOf(descriptor)) ? 'not_checked' : 'unsigned';
      };
      return { descriptor, state: state(), signatures: by };
    });
}

/** Fingerprints of those whose signatures are good; upper-case hex. */
export interface ImageSigners {
  /** Who signed every group of the image. */
  readonly everything: readonly string[];
  /** Who signed any of it. */
  readonly anything: readonly string[];
}

/**
 * Who signed a whole image, and who signed a part of it: what rules about signers go by (SIF contract §2.11). Only for
 * results of whole images; an image with a bad signature is signed by nobody.
 */
export function signersOf(result: VerifyResult): ImageSigners {
  return result.ok ? goodSigners(result) : { anything: [], everything: [] };
}

/**
 * The same from the good signatures alone, whatever became of the others: what is covered by them is what those people signed, also
 * when somebody else's key was revoked, or anybody has added a signature that is none. For results with `everySignature`.
 */
export function goodSigners({ image, signatures }: VerifyResult): ImageSigners {
  const groups = new Map<string, Set<number>>();
  for (const { signer, group, failure } of signatures)
    if (signer !== undefined && failure === undefined)
      groups.set(signer.fingerprint, (groups.get(signer.fingerprint) ?? new Set()).add(group));
  const all = groupsOf(image);
  const anything = [...groups.keys()];
  return {
    anything,
    everything: anything.filter((fingerprint) => all.every((group) => groups.get(fingerprint)?.has(group))),
  };
}
