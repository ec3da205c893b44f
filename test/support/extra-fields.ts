/*
 * For tests of bodies: fields that no client may set. Sent beside what a route takes, they change nothing.
 */

/** An id that nothing has, and that {@link comparable} leaves as it is. */
const NO_ID = 'a'.repeat(24);
const LONG_AGO = '1999-01-01T00:00:00Z';

/** Names that services keep, and such as others use for what only they may decide. */
const COMMON = {
  _id: NO_ID,
  id: NO_ID,
  _rev: 77,
  revision: 77,
  __v: 77,
  isAdmin: true,
  admin: true,
  administrator: true,
  role: 'owner',
  roles: ['owner'],
  scopes: ['admin'],
  organisations: { all: 'owner' },
  owner: 'mallory',
  ownerId: NO_ID,
  account: NO_ID,
  accountId: NO_ID,
  username: 'mallory',
  user: 'mallory',
  createdBy: 'mallory',
  updatedBy: 'mallory',
  deletedBy: 'mallory',
  createdAt: LONG_AGO,
  updatedAt: LONG_AGO,
  deletedAt: LONG_AGO,
  deleted: true,
  expiresAt: 4_000_000_000_000,
  token: NO_ID,
  tokenId: NO_ID,
  originToken: NO_ID,
  originTokenId: NO_ID,
  via: 'builder',
  subject: { job: NO_ID, container: 'mallory/x/y' },
  audience: 'everybody',
  state: 'complete',
  status: 'Complete',
  constructor: { prototype: { administrator: true } },
};

/** {@link COMMON} and more of a service, without those that the route takes. */
export function extraFields(
  more: Readonly<Record<string, unknown>>,
  ...taken: readonly string[]
): Record<string, unknown> {
  const all = { ...COMMON, ...more, ['__proto__']: { administrator: true, private: true } };
  return Object.fromEntries(Object.entries(all).filter(([name]) => !taken.includes(name)));
}

/** The same as a query, for routes whose body is no object: those that are plain texts. */
export function asQuery(fields: Readonly<Record<string, unknown>>): string {
  return new URLSearchParams(
    Object.entries(fields).map(([name, value]): [string, string] => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  ).toString();
}

/** Without what is different in every answer and document anyway: ids, hashes, names that a test made, times, signatures. */
export function comparable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, part: unknown) => (part instanceof Map ? [...part] : part))
      .replaceAll(/eyJ[\w.-]+/g, 'TOKEN')
      .replaceAll(/\b(?!a{24})[0-9a-f]{24}\b/g, 'ID')
      .replaceAll(/\b[0-9a-f]{40,64}\b/gi, 'HASH')
      .replaceAll(/\bnew\d+\b/g, 'NAME')
      .replaceAll(/\b20[234]\d-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replaceAll(/\b1[789]\d{11}\b/g, '"MILLISECONDS"')
      .replaceAll(/expires=\d+&(signature|mac)=[\w-]+/g, 'SIGNED')
      .replaceAll(/\\"[\w-]{16}\\"/g, 'ETAG'),
  );
}
