import { z } from 'zod';
import { ListQuery, Username } from './accounts.js';
import { AccountKind, OrganisationRole } from './actor.js';
import { envelope } from './envelope.js';
import { Place, Scope } from './scopes.js';
import { ServiceName } from './services.js';
import { ObjectId, Time } from './shapes.js';

/** Where the auth service answers. */
export const AUTH_PATHS = {
  jwks: '/.well-known/jwks.json',
  tokenStatus: '/v1/token-status',
  tokens: '/v1/auth/tokens',
  users: '/v1/auth/users',
  organisations: '/v1/auth/organisations',
  uses: '/v1/auth/uses',
  exchange: '/v1/auth/token',
  revocations: '/v1/auth/revocations',
  retireKeys: '/v1/auth/signing-keys/retire',
} as const;

/** Stock clients read the first line of a token file and refuse other lengths (library contract §2.3). */
export const TOKEN_LENGTH = { minimum: 200, maximum: 4096 } as const;

/** The audience of a token that a person got: every service. An exchanged token names one service instead. */
export const ANY_SERVICE = 'scs';

/** `typ` headers keep our signed things apart: none can be presented as another. */
export const SIGNED_TYPES = {
  accessToken: 'at+jwt',
  revocations: 'scs-revocations+jwt',
  clientAssertion: 'client-authentication+jwt',
  auditHead: 'scs-audit-head+jwt',
} as const;

export const TokenName = z
  .string()
  .trim()
  .min(1)
  .max(64)
  .regex(/^[^\p{Cc}]*$/u, { error: 'Expected no control characters in a token name' });
export const DAY_SECONDS = 86_400;

export const TOKEN_LIMITS = {
  scopes: 16,
  /** Of a token that a person asks for, in seconds. */
  lifetimeDefault: 90 * DAY_SECONDS,
  lifetimeMaximum: 366 * DAY_SECONDS,
  lifetimeMinimum: 60,
  /** Of an exchanged token, in seconds from the exchange: no job runs longer. */
  exchangedLifetimeMaximum: DAY_SECONDS,
} as const;

/** The claims of an access token. `jti` is the token's id, `sub` the account's. */
export const TokenClaims = z.object({
  iss: z.string(),
  aud: z.string(),
  sub: ObjectId,
  jti: ObjectId,
  iat: z.number().int(),
  exp: z.number().int(),
  scope: z.string(),
  username: Username,
  email: z.string(),
  name: z.string(),
  administrator: z.boolean(),
  kind: AccountKind.default('user'),
  /** Opens the roles of the account in the feed ({@link RevocationEntry}); without it there are none. */
  rolesKey: z
    .string()
    .regex(/^[\w-]{22}$/)
    .optional(),
  /** Only in an exchanged token: who exchanged it (RFC 8693 §4.1), what it came from, what it is for. */
  act: z.object({ sub: z.string() }).optional(),
  origin: ObjectId.optional(),
  subject: z.object({ job: z.string(), container: z.string() }).optional(),
});
export type TokenClaims = z.infer<typeof TokenClaims>;

/** `POST /v1/auth/tokens`. */
export const CreateTokenRequest = z.object({
  name: TokenName,
  scopes: z.array(Scope).min(1).max(TOKEN_LIMITS.scopes),
  /** In seconds from now. */
  lifetime: z
    .number()
    .int()
    .min(TOKEN_LIMITS.lifetimeMinimum)
    .max(TOKEN_LIMITS.lifetimeMaximum)
    .default(TOKEN_LIMITS.lifetimeDefault),
  /** Another account: for administrators, and a robot's for owners of its organisation. The caller's own when absent. */
  username: Username.optional(),
});
export type CreateTokenRequest = z.infer<typeof CreateTokenRequest>;
export type CreateTokenInput = z.input<typeof CreateTokenRequest>;

/** How long the words of a `User-Agent` are that are kept. */
export const CLIENT_LENGTH = 200;

/** When and from where a token, or one that was exchanged from it, was last used, to about a minute. */
export const TokenUse = z.object({
  time: Time,
  address: z.string(),
  /** The `User-Agent` of the request. */
  client: z.string(),
});
export type TokenUse = z.infer<typeof TokenUse>;

/**
 * `POST /v1/auth/uses`, with the token that was used as its own proof: a service tells from where it was used. The time is that
 * of the report. Whoever has the token can report too, so this is a help for its holder and no evidence.
 */
export const TokenUseRequest = z.object({
  /** IPv4 or IPv6, as the connection had it. */
  address: z.string().regex(/^[\dA-Fa-f:.]{2,45}(?:%[\w.-]{1,20})?$/),
  client: z
    .string()
    .max(CLIENT_LENGTH)
    .regex(/^[^\p{Cc}]*$/u),
});
export type TokenUseRequest = z.infer<typeof TokenUseRequest>;

/** What is told about a token. The token itself is told once, when it is made. */
export const TokenRecord = z.object({
  id: ObjectId,
  name: z.string(),
  username: Username,
  scopes: z.array(z.string()),
  createdAt: Time,
  expiresAt: Time,
  revokedAt: Time.nullable(),
  lastUsed: TokenUse.nullable(),
});
export type TokenRecord = z.infer<typeof TokenRecord>;

export const CreatedToken = TokenRecord.extend({ token: z.string() });
export type CreatedToken = z.infer<typeof CreatedToken>;
export const TokenAnswer = envelope(TokenRecord);
export const CreatedTokenAnswer = envelope(CreatedToken);
export const TokensAnswer = envelope(z.array(TokenRecord));

/** Whose tokens are asked for; the caller's own when absent. */
export const ListTokensQuery = ListQuery.extend({ username: Username.optional() });
export type ListTokensQuery = z.infer<typeof ListTokensQuery>;

/**
 * `GET /v1/token-status`: stock clients read the status only (library contract §2.3); `sing remote status` shows who somebody
 * is, what the token may do, and until when.
 */
export const TokenStatus = envelope(
  z.object({
    id: ObjectId,
    username: Username,
    displayName: z.string(),
    kind: AccountKind,
    administrator: z.boolean(),
    organisations: z.record(z.string(), OrganisationRole),
    scopes: z.array(z.string()),
    expiresAt: Time,
  }),
);
export type TokenStatus = z.infer<typeof TokenStatus>;

/** The words of RFC 8693 and RFC 7523 in the form of `POST /v1/auth/token`. */
export const EXCHANGE_WORDS = {
  grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
  accessToken: 'urn:ietf:params:oauth:token-type:access_token',
  clientAssertion: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
} as const;

/**
 * `POST /v1/auth/token`, `application/x-www-form-urlencoded`: RFC 8693 §2.1 with the client authentication of RFC 7523 §2.2.
 * `job`, `container` and `lifetime` (seconds) are ours: what the new token is limited to.
 */
export const ExchangeRequest = z.object({
  grant_type: z.literal(EXCHANGE_WORDS.grantType),
  subject_token: z.string().min(1).max(TOKEN_LENGTH.maximum),
  subject_token_type: z.literal(EXCHANGE_WORDS.accessToken),
  client_assertion_type: z.literal(EXCHANGE_WORDS.clientAssertion),
  client_assertion: z.string().min(1).max(TOKEN_LENGTH.maximum),
  audience: z.enum(['keystore', 'library', 'builder']),
  scope: z
    .string()
    .min(1)
    .max(2000)
    .transform((text) => text.split(' '))
    .pipe(z.array(Scope).min(1).max(TOKEN_LIMITS.scopes)),
  job: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  container: Place.refine((place) => place.split('/').length === 3, {
    error: 'Expected entity/collection/container for container',
  }),
  lifetime: z.coerce.number().int().min(1).max(TOKEN_LIMITS.exchangedLifetimeMaximum),
});
export type ExchangeRequest = z.infer<typeof ExchangeRequest>;

/** RFC 8693 §2.2.1. No envelope: the words are the RFC's. */
export const ExchangeAnswer = z.object({
  access_token: z.string(),
  issued_token_type: z.literal(EXCHANGE_WORDS.accessToken),
  token_type: z.literal('Bearer'),
  expires_in: z.number().int(),
  scope: z.string(),
});
export type ExchangeAnswer = z.infer<typeof ExchangeAnswer>;

/** A public signing key (RFC 7517). */
export const SigningJwk = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  kid: z.string(),
  alg: z.literal('ES256'),
  use: z.literal('sig'),
});
export type SigningJwk = z.infer<typeof SigningJwk>;

/** `POST /v1/auth/signing-keys/retire`: ids of the key that signs from now on, and of those that ended with all they signed. */
export const RetiredKeys = z.object({ signs: z.string(), retired: z.array(z.string()) });
export type RetiredKeys = z.infer<typeof RetiredKeys>;
export const RetiredKeysAnswer = envelope(RetiredKeys);

/** `GET /.well-known/jwks.json`. `issuer` names the instance: tokens of another one are refused by it. */
export const Jwks = z.object({ issuer: z.string(), keys: z.array(SigningJwk).min(1).max(50) });
export type Jwks = z.infer<typeof Jwks>;

/** One thing that became invalid, or the present state of an account whose rights changed; a later one replaces it. */
export const RevocationEntry = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('token'),
    sequence: z.number().int().positive(),
    /** `jti`; whatever was exchanged from it ends too. */
    id: ObjectId,
    /** Unix seconds; nothing that came from the token is valid after it, so the entry may be forgotten. */
    until: z.number().int(),
  }),
  z.object({
    kind: z.literal('account'),
    sequence: z.number().int().positive(),
    id: ObjectId,
    disabled: z.boolean(),
    administrator: z.boolean(),
    /**
     * The roles in organisations that are not disabled, by name, sealed with the `rolesKey` of the account's tokens: anybody may
     * read the feed, and nobody learns from it which organisations there are. Absent = none.
     */
    organisations: z.string().max(500_000).optional(),
  }),
]);
export type RevocationEntry = z.infer<typeof RevocationEntry>;

export const MAXIMUM_FEED_ENTRIES = 500;

/** The signed content of `GET /v1/auth/revocations?after=<sequence>`: a JWS, `typ` as in {@link SIGNED_TYPES}. */
export const RevocationFeed = z.object({
  iss: z.string(),
  /** Unix milliseconds of the auth service: never goes back. */
  time: z.number().int(),
  after: z.number().int().nonnegative(),
  /** The highest sequence that exists; more than the last entry's when another page follows. */
  head: z.number().int().nonnegative(),
  /** The key ids that are valid now: a key that is missing here is retired at once. */
  keys: z.array(z.string()),
  entries: z.array(RevocationEntry).max(MAXIMUM_FEED_ENTRIES),
});
export type RevocationFeed = z.infer<typeof RevocationFeed>;

/** `GET /v1/auth/revocations?after=<sequence>`: the feed as a compact JWS. */
export const SignedRevocations = envelope(z.object({ signed: z.string().max(1_000_000) }));
export type SignedRevocations = z.infer<typeof SignedRevocations>;
export const RevocationsQuery = z.object({ after: z.coerce.number().int().nonnegative().default(0) });

/** The name under which a service proves itself to the auth service, and the claims of that proof (RFC 7523 §3). */
export const ClientAssertion = z.object({
  iss: ServiceName,
  sub: ServiceName,
  aud: z.string(),
  jti: z.string().min(16).max(64),
  iat: z.number().int(),
  exp: z.number().int(),
});
export type ClientAssertion = z.infer<typeof ClientAssertion>;

/** `$SCS_HOME/service-keys/<service>.json`: the public keys by which a service may prove itself. */
export const ServiceKeys = z.object({ keys: z.array(SigningJwk).min(1).max(10) });
export type ServiceKeys = z.infer<typeof ServiceKeys>;
