import { AUTH_LIMITS } from '../limits.js';

/** The prefix makes browsers refuse the cookie unless it comes over TLS (RFC 6265bis §4.1.3.1). */
const NAME = '__Secure-scs-session';
/** Sent to the pages of auth and to nothing else: never to /v1, /v2 or /pks. */
const PATH = '/auth';
const VALUE = /^[\w-]{20,100}$/;

/** The identifier in a `Cookie` header; undefined when there is none, or one that cannot be ours. */
export function readSessionCookie(header: string | undefined): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const [name, value = ''] = pair.trim().split('=', 2);
    if (name === NAME && VALUE.test(value)) return value;
  }
  return undefined;
}

/** The `Set-Cookie` header that gives a browser its identifier. */
export function sessionCookie(identifier: string): string {
  return cookie(identifier, AUTH_LIMITS.sessionMs / 1000);
}

/** The `Set-Cookie` header that takes it away. */
export function noSessionCookie(): string {
  return cookie('', 0);
}

function cookie(value: string, seconds: number): string {
  return `${NAME}=${value}; Path=${PATH}; Max-Age=${seconds}; HttpOnly; Secure; SameSite=Lax`;
}
