import { TOKEN_LENGTH } from '#libs/contract';

/** What an `Authorization` header presents. */
export type Presented =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'password'; readonly username: string; readonly password: string };

const NOTHING: Presented = { kind: 'nothing' };
/** A token and the longest user name, in base64. What is longer is not decoded. */
const MAXIMUM_BASIC = Math.ceil((TOKEN_LENGTH.maximum + 256) / 3) * 4;
/** Three parts of base64url, as no password of a person looks (RFC 7515 §7.1). */
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Reads an `Authorization` header. The scheme word is matched without regard to case, and a bare `Bearer` presents nothing
 * (library contract §1 rule 9). Whatever else follows it is a token, if a bad one: where anybody may ask, its holder would take
 * an answer for nobody for an own one. Schemes that we do not know present nothing.
 */
export function parseAuthorization(header: string | undefined): Presented {
  const [, scheme, rest = ''] = /^([A-Za-z]+)[ \t](.*)$/s.exec(header ?? '') ?? [];
  const credentials = rest.trim();
  if (scheme === undefined || credentials === '') return NOTHING;
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return { kind: 'bearer', token: credentials };
    case 'basic':
      return parseBasic(credentials);
    default:
      return NOTHING;
  }
}

/**
 * RFC 7617 §2: base64 of `user-id:password`; the password may contain colons. Clients that know no Bearer write a token as the
 * password, with any user name or none (keystore contract §1.2).
 */
function parseBasic(credentials: string): Presented {
  if (credentials.length > MAXIMUM_BASIC || /\s/.test(credentials)) return NOTHING;
  const text = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const password = text.slice(colon + 1);
  if (colon >= 0 && password.length >= TOKEN_LENGTH.minimum && TOKEN.test(password))
    return { kind: 'bearer', token: password };
  if (colon < 1) return NOTHING;
  return { kind: 'password', username: text.slice(0, colon), password };
}
