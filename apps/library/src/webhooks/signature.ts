import { createHmac } from 'node:crypto';

/** The header that a receiver checks: `t=<seconds since 1970>,v1=<HMAC-SHA256 of "t.body" in hexadecimal>`. */
export const SIGNATURE_HEADER = 'scs-signature';

/** @param seconds since 1970: a receiver refuses what is old, and so what somebody sends a second time */
export function signatureOf(secret: string, seconds: number, body: string): string {
  const mac = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${mac}`;
}
