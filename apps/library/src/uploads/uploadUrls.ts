import { createHmac, timingSafeEqual } from 'node:crypto';
import { DomainError, isObjectId } from '#libs/core';

/** What a signed URL allows: to send one part of one upload until a time. */
export interface UploadGrant {
  readonly upload: string;
  readonly part: number;
  /** Seconds since 1970. */
  readonly expires: number;
}

/**
 * Makes and checks the URLs that parts are sent to. They carry no token (library contract rule 14); a MAC with a key that
 * signs nothing else says that they were made here, for this upload, part and time.
 */
export class UploadUrls {
  readonly #key: Buffer;
  readonly #base: string;

  /** @param base public address of the library, without a slash at its end */
  constructor(key: Buffer, base: string) {
    if (key.length < 32) throw new Error(`Expected a key of at least 32 bytes, got ${key.length}`);
    this.#key = key;
    this.#base = base;
  }

  /** An absolute URL (library contract §6.1: a relative one is an error for the client). */
  sign(grant: UploadGrant): string {
    const { upload, part, expires } = grant;
    return `${this.#base}/v2/upload/${upload}/${part}?expires=${expires}&signature=${this.#mac(grant)}`;
  }

  /**
   * @param now seconds since 1970
   * @throws DomainError `forbidden` for a URL that was not made here or was changed, `gone` for one that is too old
   */
  check(grant: UploadGrant, signature: string, now: number): void {
    const given = Buffer.from(signature);
    const right = Buffer.from(this.#mac(grant));
    if (given.length !== right.length || !timingSafeEqual(given, right))
      throw new DomainError('forbidden', 'This upload address was not made by this server', {
        reason: 'bad_signature',
      });
    if (grant.expires <= now)
      throw new DomainError('gone', 'This upload address has expired', { reason: 'upload_url_expired' });
  }

  #mac({ upload, part, expires }: UploadGrant): string {
    return createHmac('sha256', this.#key)
      .update(`scs-upload-url\n${upload}\n${part}\n${expires}`)
      .digest('base64url');
  }
}

/** Takes a signed address apart. @throws DomainError `forbidden` for what {@link UploadUrls.sign} does not make */
export function readGrant(address: {
  readonly upload: string;
  readonly part: string;
  readonly query: Readonly<Record<string, unknown>>;
}): { grant: UploadGrant; signature: string } {
  const { upload, part, query } = address;
  const { expires, signature } = query;
  const whole = isObjectId(upload) && /^[1-9][0-9]{0,5}$/.test(part);
  if (
    !whole ||
    typeof expires !== 'string' ||
    !/^[0-9]{1,12}$/.test(expires) ||
    typeof signature !== 'string'
  )
    throw new DomainError('forbidden', 'This upload address was not made by this server', {
      reason: 'bad_signature',
    });
  return { grant: { upload, part: Number(part), expires: Number(expires) }, signature };
}
