import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';

const MIB = 1024 * 1024;
/** What fits into the headers of a request beside all others (16 KiB). */
const LONG = 15_000;
/** What may stand in a header, without the blank, which would end the token. */
const HEADER_BYTES = [...Array(0x100).keys()].filter((byte) => byte > 0x20 && byte !== 0x7f);
const URL_SAFE = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

const encode = (text) => Buffer.from(text).toString('base64url');
const nested = (depth, [open, close]) => open.repeat(depth) + close.repeat(depth);

/** Claims of the right kind are replaced by one of these, with a signature that is right: undefined = left out. */
const CLAIMS = {
  iss: [undefined, null, 5, 'urn:scs:somebody-else', ['urn:scs:x'], {}],
  aud: [undefined, null, 5, 'nobody', ['scs'], { scs: true }],
  sub: [undefined, null, 5, '', 'admin', '../admin', { $ne: null }, 'a'.repeat(1500)],
  jti: [undefined, null, 5, '', 'x', ['a'.repeat(24)], { $gt: '' }],
  iat: [undefined, null, 'now', 1.5, [], {}],
  exp: [undefined, null, 'never', 1.5, 1e308, -1, 0, true, [], {}],
  nbf: ['now', 4_000_000_000, {}, []],
  scope: [undefined, null, 5, ['admin'], { admin: true }],
  username: [undefined, null, 5, '', 'A B', '\0', '../admin', ['admin'], {}],
  email: [undefined, null, 5, []],
  name: [undefined, null, 5, {}],
  administrator: [undefined, null, 1, 'true', [], {}],
  kind: [null, 'god', 5, []],
  rolesKey: [null, 5, 'short', [], 'x'.repeat(23)],
  act: [null, 'auth', [], { sub: 5 }],
  origin: [null, 5, 'x', 'a'.repeat(24)],
  subject: [null, 'x', [], { job: 5 }],
};
/** What is in the place of the claims. */
const PAYLOADS = [
  '',
  'null',
  '[]',
  '"x"',
  '5',
  '{',
  '{}',
  '{"__proto__":{"administrator":true}}',
  '\0',
  '\ufeff{}',
];
const ALGORITHMS =
  'none None NONE nOnE HS256 HS384 HS512 RS256 RS512 PS256 ES256K ES384 ES512 EdDSA es256'.split(' ');
const KEY_IDS = [
  undefined,
  null,
  5,
  '',
  {},
  ['x'],
  '../../../../etc/passwd',
  '\0',
  '__proto__',
  'constructor',
  "' or 1=1 --",
  'x'.repeat(100),
  'x'.repeat(101),
  'x'.repeat(2900),
];
const TYPES = [
  undefined,
  null,
  'JWT',
  'jwt',
  'at+JWT ',
  'scs-revocations+jwt',
  'client-authentication+jwt',
  ['at+jwt'],
];
const NESTINGS = ['[]', ['{"a":', '}'], ['[{"a":', '}]']];

/**
 * Tokens that are none, each in a way of its own: some that nobody could take for one, some that are right but for one thing.
 * @param good a token that is taken
 * @param jwk the key that has signed it, with its private part
 * @param feed something else that this key has signed
 */
export function brokenTokens({ good, jwk, feed, random }) {
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  const pem = createPublicKey(key).export({ type: 'spki', format: 'pem' });
  const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [head, body, signature] = good.split('.');
  const header = JSON.parse(Buffer.from(head, 'base64url'));
  const claims = JSON.parse(Buffer.from(body, 'base64url'));

  const signedBy = (signer, headText, bodyText, dsaEncoding = 'ieee-p1363') => {
    const text = `${encode(headText)}.${encode(bodyText)}`;
    return `${text}.${sign('sha256', Buffer.from(text), { key: signer, dsaEncoding }).toString('base64url')}`;
  };
  const ours = (changes, bodyText) => signedBy(key, JSON.stringify({ ...header, ...changes }), bodyText);
  const characters = (count, list) => Array.from({ length: count }, () => random.oneOf(list)).join('');
  const bytes = (count) =>
    Buffer.from(Array.from({ length: count }, () => random.oneOf(HEADER_BYTES))).toString('latin1');
  const json = JSON.stringify(claims);

  const kinds = {
    'random bytes': () => bytes(random.between(1, 5000)),
    'random letters': () => characters(random.between(1, 5000), URL_SAFE),
    'three random parts': () =>
      Array.from({ length: 3 }, () => characters(random.between(0, 1500), URL_SAFE)).join('.'),
    dots: () => '.'.repeat(random.between(1, LONG)),
    'cut off': () => good.slice(0, random.between(1, good.length - 1)),
    'without its beginning': () => good.slice(random.between(1, good.length - 1)),
    'one character changed': () => {
      // The last one has bits that mean nothing.
      const at = random.between(0, good.length - 2);
      const other = random.oneOf(URL_SAFE.filter((letter) => letter !== good[at]));
      return good.slice(0, at) + other + good.slice(at + 1);
    },
    'one part too many': () => `${good}.${random.oneOf(['', signature, 'x'])}`,
    'parts in another order': () =>
      random
        .oneOf([
          [body, head, signature],
          [head, signature, body],
          [signature, head, body],
        ])
        .join('.'),
    'no signature': () => `${head}.${body}.`,
    'a signature of zeros': () =>
      `${head}.${body}.${Buffer.alloc(random.oneOf([1, 32, 63, 64, 65])).toString('base64url')}`,
    'a signature in DER': () => signedBy(key, JSON.stringify(header), json, 'der'),
    long: () => good + characters(random.between(4097 - good.length, LONG - good.length), URL_SAFE),
    'long claims': () =>
      ours({}, JSON.stringify({ ...claims, name: 'x'.repeat(random.between(3500, 8000)) })),
    'a megabyte': () => good + 'x'.repeat(MIB),
    'another algorithm': () => {
      const text = `${encode(JSON.stringify({ ...header, alg: random.oneOf(ALGORITHMS) }))}.${body}`;
      // The public key as a secret that everybody knows.
      const mac = createHmac('sha256', pem).update(text).digest('base64url');
      return `${text}.${random.oneOf(['', mac, signature])}`;
    },
    'another algorithm, signed with the right key': () =>
      ours({ alg: random.oneOf([...ALGORITHMS, null, 5, [], {}, 'x'.repeat(2000)]) }, json),
    'another type': () => ours({ typ: random.oneOf(TYPES) }, json),
    'another key id': () => ours({ kid: random.oneOf(KEY_IDS) }, json),
    'signed by somebody else': () => signedBy(foreign.privateKey, JSON.stringify(header), json),
    'signed by somebody else, who sends the key': () => {
      const own = foreign.publicKey.export({ format: 'jwk' });
      const change = random.oneOf([
        { jwk: own },
        { jku: 'https://localhost:1/jwks.json' },
        { x5u: 'https://localhost:1' },
      ]);
      return signedBy(
        foreign.privateKey,
        JSON.stringify({ ...header, kid: random.oneOf(KEY_IDS), ...change }),
        json,
      );
    },
    'something else that we signed': () => feed,
    'a deep header': () =>
      `${encode(nested(random.between(100, 1400), random.oneOf(NESTINGS)))}.${body}.${signature}`,
    'deep claims': () => {
      const deep = nested(random.between(100, 500), random.oneOf(NESTINGS));
      return ours({}, random.oneOf([deep, `{"subject":${deep}}`, `${json.slice(0, -1)},"act":${deep}}`]));
    },
    'a claim of another kind': () => {
      const name = random.oneOf(Object.keys(CLAIMS));
      return ours({}, JSON.stringify({ ...claims, [name]: random.oneOf(CLAIMS[name]) }));
    },
    'no claims': () => ours({}, random.oneOf(PAYLOADS)),
    'no header': () => `${encode(random.oneOf(PAYLOADS))}.${body}.${signature}`,
    expired: () => ours({}, JSON.stringify({ ...claims, exp: random.oneOf([1, claims.iat]) })),
  };
  return {
    kinds: Object.keys(kinds),
    /** @returns a token of a kind; latin1 */
    make: (kind) => kinds[kind](),
  };
}
