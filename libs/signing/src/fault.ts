import { DomainError } from '#libs/core';

/** Why an image did not verify or could not be signed, by a stable word. */
export type FailureReason =
  | 'no_groups'
  | 'no_objects'
  | 'ungrouped_object'
  | 'invalid_group'
  | 'group_not_found'
  | 'signature_not_found'
  | 'key_material_missing'
  | 'format_not_recognized'
  | 'hash_unsupported'
  | 'signature_not_valid'
  | 'metadata_malformed'
  | 'fingerprint_mismatch'
  | 'object_not_signed'
  | 'signed_object_not_found'
  | 'header_compromised'
  | 'descriptor_compromised'
  | 'data_compromised'
  | 'object_not_found';

/** One failed check. `message` has the words of the stock tools, so that scripts that look for them keep working. */
export interface Failure {
  readonly reason: FailureReason;
  readonly message: string;
  /** The object that it is about. */
  readonly objectId?: number;
  /** What went wrong in detail, when that is more than the message says. */
  readonly detail?: string;
  /** What a person can do. */
  readonly remedy?: string;
}

/** Carries a failure through the checks to the one place that reports it. */
export class VerificationFailure extends Error {
  override readonly name = 'VerificationFailure';

  constructor(
    readonly failure: Failure,
    cause?: unknown,
  ) {
    super(failure.message, { cause });
  }
}

const CHANGED =
  'The image was changed after it was signed. Do not use it; get it again from where it came from.';
const REMEDIES: Partial<Record<FailureReason, string>> = {
  signature_not_found: 'Nobody has signed this part of the image. Its owner can: sing sign FILE',
  object_not_signed: 'The image holds something that the signer did not sign. Ask who made it.',
  ungrouped_object: 'The image holds an object that no signature can cover. Ask who made it.',
  signed_object_not_found: CHANGED,
  header_compromised: CHANGED,
  descriptor_compromised: CHANGED,
  data_compromised: CHANGED,
  fingerprint_mismatch: CHANGED,
};

/** A failure to throw. */
export function failed(
  reason: FailureReason,
  message: string,
  more: Partial<Omit<Failure, 'reason' | 'message'>> & { cause?: unknown } = {},
): VerificationFailure {
  const { cause, ...rest } = more;
  const remedy = rest.remedy ?? REMEDIES[reason];
  return new VerificationFailure(
    { reason, message, ...rest, ...(remedy === undefined ? {} : { remedy }) },
    cause,
  );
}

/** A failure as an error that command lines print and end with status 255 (SIF contract §2.10). */
export function failureError(failure: Failure, prefix: string): DomainError {
  const detail = failure.detail === undefined ? '' : ` (${failure.detail})`;
  return new DomainError('unprocessable', `${prefix}: integrity: ${failure.message}${detail}`, {
    reason: failure.reason,
    exitCode: 255,
    ...(failure.remedy === undefined ? {} : { remedy: failure.remedy }),
  });
}
