/** What a server's `apiVersion` offers (library contract §2.4). */
export interface LibraryProtocol {
  /** `/v2/imagefile`, otherwise the raw upload of the first version. */
  readonly signedUploads: boolean;
  /** `/v2/tags` by architecture. */
  readonly archTags: boolean;
}

const STRICT = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** Absent, older than 2 or no strict semantic version: the lowest common denominator. */
export function protocolOf(apiVersion: string | undefined): LibraryProtocol {
  const match = STRICT.exec(apiVersion ?? '');
  const major = Number(match?.[1] ?? 0);
  if (match === null || major < 2) return { signedUploads: false, archTags: false };
  const isFirst = major === 2 && match[2] === '0' && match[3] === '0';
  const alpha = /^alpha\.(\d+)$/.exec(match[4] ?? '');
  if (!isFirst || match[4] === undefined) return { signedUploads: true, archTags: true };
  // 2.0.0-alpha.1 has signed uploads, alpha.2 and everything that sorts behind it also tags by architecture.
  if (alpha === null)
    return match[4] === 'alpha'
      ? { signedUploads: false, archTags: false }
      : { signedUploads: true, archTags: true };
  return { signedUploads: Number(alpha[1]) >= 1, archTags: Number(alpha[1]) >= 2 };
}
