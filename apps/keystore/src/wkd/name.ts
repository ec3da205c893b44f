import { createHash } from 'node:crypto';

/** Z-base-32 of RFC 6189 §5.1.6. */
const ALPHABET = 'ybndrfg8ejkmcpqxot1uwisza345h769';

/** How a Web Key Directory names an address (draft-koch-openpgp-webkey-service §3.1). */
export interface WkdName {
  /** SHA-1 of the local part in lower case, 32 characters. */
  readonly hash: string;
  readonly domain: string;
}

/** @param address lower case */
export function wkdName(address: string): WkdName {
  const at = address.lastIndexOf('@');
  const digest = createHash('sha1').update(address.slice(0, at)).digest();
  return { hash: zBase32(digest), domain: address.slice(at + 1) };
}

/** 20 bytes are 32 digits of 5 bits. */
function zBase32(bytes: Uint8Array): string {
  let text = '';
  let [bits, kept] = [0, 0];
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    kept += 8;
    while (kept >= 5) {
      kept -= 5;
      text += ALPHABET.charAt((bits >> kept) & 31);
    }
    bits &= 31;
  }
  return text;
}
