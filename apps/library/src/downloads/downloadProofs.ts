import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { Actor } from '#libs/contract';

/** What a proof says: with which token the download of which image was begun, and until when it may go on. */
export interface BegunDownload {
  readonly token: string;
  readonly container: string;
  readonly hash: string;
  /** Seconds since 1970. */
  readonly until: number;
}

const FORM = /^(\d{1,12})\.([0-9a-f]{24})\.(sha256\.[0-9a-f]{64})\.([\w-]{43})$/;

/**
 * Proofs that a download was begun with a token while it was good. A client shows one, beside the token, with every further range:
 * the token says who asks and may have been revoked, the proof alone allows nothing.
 */
export class DownloadProofs {
  readonly #key: Buffer;

  /** @param secret from which the key of this one purpose is derived */
  constructor(secret: Buffer) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'scs-download-proof', 32));
  }

  make(download: BegunDownload): string {
    const { until, container, hash } = download;
    return `${until}.${container}.${hash}.${this.#mac(download)}`;
  }

  /** What a proof of this actor's token says. Undefined for any other text. */
  read(proof: string, { tokenId }: Pick<Actor, 'tokenId'>): BegunDownload | undefined {
    const [, until = '', container = '', hash = '', mac = ''] = FORM.exec(proof) ?? [];
    const download = { token: tokenId, container, hash, until: Number(until) };
    const given = Buffer.from(mac);
    const right = Buffer.from(this.#mac(download));
    return given.length === right.length && timingSafeEqual(given, right) ? download : undefined;
  }

  #mac({ token, container, hash, until }: BegunDownload): string {
    return createHmac('sha256', this.#key)
      .update(`${token}\n${container}\n${hash}\n${until}`)
      .digest('base64url');
  }
}
