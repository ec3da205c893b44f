import { z } from 'zod';
import { OrganisationRole } from './actor.js';
import { SigningJwk } from './auth.js';
import { envelope } from './envelope.js';
import { Retention } from './manage.js';
import { Scope } from './scopes.js';
import type { AudienceName } from './services.js';

/** Where every process answers for the services that run in it. Both need the scope `admin`. */
export const AUDIT_PATHS = { entries: '/v1/audit', heads: '/v1/audit/heads' } as const;

/**
 * Everything that is recorded, by the service that records it: `<noun>.<verb>`. The list is closed: to record something else is to
 * change it. Reads are not recorded.
 */
export const AUDIT_ACTIONS = {
  auth: [
    'account.change',
    'account.create',
    'member.remove',
    'member.set',
    'organisation.change',
    'organisation.create',
    'password.change',
    'password.check',
    'robot.change',
    'robot.create',
    'session.close',
    'session.open',
    'signing-key.publish',
    'signing-key.retire',
    'token.create',
    'token.exchange',
    'token.revoke',
  ],
  keystore: [
    'key.add',
    'key.block',
    'key.change',
    'key.claim',
    'key.delete',
    'key.hide',
    'key.notice',
    'key.repair',
    'key.unblock',
    'keyring.add',
    'keyring.remove',
  ],
  library: [
    'blob.damage',
    'blob.mend',
    'collection.change',
    'collection.create',
    'collection.delete',
    'container.change',
    'container.create',
    'container.delete',
    'container.star',
    'container.unstar',
    'entity.change',
    'entity.create',
    'entity.delete',
    'image.delete',
    'image.push',
    'image.unsign',
    'library.repair',
    'quota.change',
    'tag.delete',
    'tag.move',
    'tag.set',
    'webhook.change',
    'webhook.create',
    'webhook.delete',
    'webhook.deliver',
  ],
  builder: ['build.cancel', 'build.delete', 'build.end', 'build.submit'],
} as const satisfies Record<AudienceName, readonly string[]>;

/** The services that keep documents, and therefore a trail. */
export const AUDITED_SERVICES = Object.keys(AUDIT_ACTIONS) as AudienceName[];
export const AuditedService = z.enum(AUDITED_SERVICES);

export type AuditAction = (typeof AUDIT_ACTIONS)[AudienceName][number];
export const AuditAction = z.enum(Object.values(AUDIT_ACTIONS).flat() as [AuditAction, ...AuditAction[]]);

/** The service that records an action. */
export function serviceOfAction(action: AuditAction): AudienceName {
  const found = AUDITED_SERVICES.find((service) =>
    (AUDIT_ACTIONS[service] as readonly string[]).includes(action),
  );
  if (found === undefined) throw new Error(`No service records ${action}`);
  return found;
}

/** `refused`: somebody was not allowed to, or asked for what cannot be. `failed`: it was allowed and did not work. */
export const AuditOutcome = z.enum(['done', 'refused', 'failed']);
export type AuditOutcome = z.infer<typeof AuditOutcome>;

/** What an entry is about. `request`: a refused request, of which no more is known than where it went. */
export const AUDIT_SUBJECTS = [
  'account',
  'blob',
  'build',
  'collection',
  'container',
  'entity',
  'image',
  'key',
  'member',
  'organisation',
  'request',
  'robot',
  'signing-key',
  'tag',
  'token',
  'upload',
  'webhook',
] as const;

export const AUDIT_LIMITS = {
  /** Characters of a User-Agent that are kept. */
  client: 200,
  /** Characters of a name: three of a library (255 each) with a tag or a hash. */
  subject: 1000,
  /** Characters of what people call a token. */
  name: 100,
  /** Entries, or heads, of one answer. */
  page: 500,
  cursor: 1000,
} as const;

/** Names of ours are ASCII without spaces. */
const VISIBLE = /^[\u0021-\u007e]+$/;

export const AuditSubject = z.strictObject({
  kind: z.enum(AUDIT_SUBJECTS),
  /**
   * `entity/collection/container` for what lies in the library, with `:tag` or `@sha256.…` behind it where it is about one;
   * `entity@id` for a webhook; otherwise the user name, id or fingerprint.
   */
  name: z.string().max(AUDIT_LIMITS.subject).regex(VISIBLE),
});
export type AuditSubject = z.infer<typeof AuditSubject>;

const Fingerprint = z.string().regex(/^[0-9a-f]{40}$/);
const Fingerprints = z.array(Fingerprint).max(50).optional();

/**
 * What something was or became: digests, names and rights, never contents. A closed list of members, none of which holds free
 * text but `name`, so that there is no place for a token, a password or a key.
 */
export const AuditState = z.strictObject({
  /** SHA-256 of the content. */
  digest: z
    .string()
    .regex(/^sha256\.[0-9a-f]{64}$/)
    .optional(),
  /** Of an OpenPGP key; how many accounts brought it, and how many of its user ids are hidden. */
  revoked: z.boolean().optional(),
  contributors: z.number().int().nonnegative().optional(),
  hidden: z.number().int().nonnegative().optional(),
  /** Bytes. */
  size: z.number().int().nonnegative().optional(),
  arch: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,31}$/)
    .optional(),
  /** `entity/collection/container`: where a build goes. */
  place: z.string().max(AUDIT_LIMITS.subject).regex(VISIBLE).optional(),
  private: z.boolean().optional(),
  readOnly: z.boolean().optional(),
  /** Patterns of tags. */
  protectedTags: z
    .array(z.string().regex(/^[A-Za-z0-9._*-]{1,128}$/))
    .max(20)
    .optional(),
  /** Fingerprints of those of whom one must have signed what is pushed, and what is pulled. */
  signersToPush: Fingerprints,
  signersToPull: Fingerprints,
  /** Whose signature it is about. */
  fingerprint: Fingerprint.optional(),
  /** By which images are kept. */
  retention: Retention.optional(),
  /** Of an entity or an account, in bytes; 0 for no limit. */
  quota: z.number().int().nonnegative().optional(),
  /** What people call it; the organisation of a keyring. */
  name: z
    .string()
    .max(AUDIT_LIMITS.name)
    .regex(/^[^\p{Cc}]*$/u)
    .optional(),
  email: z
    .string()
    .max(254)
    .regex(/^[^\p{Cc}]*$/u)
    .optional(),
  /** Whose a token is, where that is somebody else; who owns a key. */
  username: z.string().max(AUDIT_LIMITS.name).regex(VISIBLE).optional(),
  role: OrganisationRole.optional(),
  administrator: z.boolean().optional(),
  disabled: z.boolean().optional(),
  scopes: z.array(Scope).max(16).optional(),
  /** How many tokens ended with it. */
  tokens: z.number().int().nonnegative().optional(),
  expiresAt: z.iso.datetime().optional(),
  /** How many days before that somebody is told. */
  days: z.number().int().nonnegative().optional(),
  /** Which service an exchanged token is for, and which job. */
  audience: AuditedService.optional(),
  job: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .optional(),
});
export type AuditState = z.infer<typeof AuditState>;

/** Who did it, by ids: what a token said, never the token. */
export interface AuditActor {
  readonly account: string;
  readonly username: string;
  readonly tokenId: string;
  /** The token of a person that the presented one came from, or the same. */
  readonly originTokenId: string;
  /** The service that exchanged the token; null when a person presented their own. */
  readonly via: string | null;
}

/**
 * An entry as it is read. The strings are taken as they are, because an entry that somebody changed has to be seen as it is now:
 * what may be written is decided when it is written.
 */
export const AuditEntry = z.object({
  /** 1, 2, 3 … in each service. */
  sequence: z.number().int(),
  /** ISO, UTC. Entries that were made at the same moment may be chained in another order. */
  time: z.string(),
  service: z.string(),
  action: z.string(),
  outcome: z.string(),
  actor: z
    .object({
      account: z.string(),
      username: z.string(),
      tokenId: z.string(),
      originTokenId: z.string(),
      via: z.string().nullable(),
    })
    .nullable(),
  /** Where the request came from; null for what a service does by itself. */
  address: z.string().nullable(),
  client: z.string().nullable(),
  subject: z.object({ kind: z.string(), name: z.string() }),
  before: z.record(z.string(), z.unknown()).nullable(),
  after: z.record(z.string(), z.unknown()).nullable(),
  /** A stable word in snake_case: why it was refused or failed. */
  reason: z.string().nullable(),
  /** The hash of the entry before this one. */
  previous: z.string(),
  /** 64 hexadecimal digits: SHA-256 of everything above as canonical JSON. */
  hash: z.string(),
});
export type AuditEntry = z.infer<typeof AuditEntry>;

export const AuditEntriesAnswer = envelope(z.array(AuditEntry));

const Instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text).toISOString());
const Limit = z.coerce.number().int().min(1).max(AUDIT_LIMITS.page).default(100);
const Cursor = z.string().max(AUDIT_LIMITS.cursor).optional();

/**
 * `GET /v1/audit`: newest first, or with `after` the chain of one service in its own order. A page may be shorter than the limit:
 * whether there is more is said by the cursor alone.
 */
export const AuditQuery = z
  .object({
    service: AuditedService.optional(),
    action: AuditAction.optional(),
    outcome: AuditOutcome.optional(),
    /** User name. */
    actor: z.string().min(1).max(AUDIT_LIMITS.name).optional(),
    /** A name; without a tag or hash it stands for all of them. */
    subject: z.string().min(1).max(AUDIT_LIMITS.subject).optional(),
    /** Inclusive. */
    since: Instant.optional(),
    /** Exclusive. */
    until: Instant.optional(),
    /** Sequence number: the entries that follow it, oldest first. Needs `service`, takes no filter. */
    after: z.coerce.number().int().nonnegative().optional(),
    limit: Limit,
    cursor: Cursor,
  })
  .refine(
    ({ after, service, action, outcome, actor, subject, since, until }) =>
      after === undefined ||
      (service !== undefined &&
        [action, outcome, actor, subject, since, until].every((one) => one === undefined)),
    { error: 'Expected service, and no filter, beside after' },
  );
export type AuditQuery = z.infer<typeof AuditQuery>;
export type AuditFilter = Pick<AuditQuery, 'action' | 'outcome' | 'actor' | 'subject' | 'since' | 'until'>;

/** What a signed head says: the chain of a service had this hash at this sequence number. */
export const AuditHead = z.object({
  service: AuditedService,
  sequence: z.number().int().positive(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  time: z.iso.datetime(),
});
export type AuditHead = z.infer<typeof AuditHead>;

/** A line of a file of heads, as it stands there. `signed` is the head as a compact JWS; empty for a line that is none. */
export const AuditHeadLine = z.object({
  service: z.string(),
  /** In the file, from 1. */
  line: z.number().int().positive(),
  sequence: z.number().int(),
  hash: z.string(),
  time: z.string(),
  signed: z.string(),
});
export type AuditHeadLine = z.infer<typeof AuditHeadLine>;

/** `GET /v1/audit/heads`: in the order of their files, or with `newest` only the last one of each service. */
export const AuditHeadsQuery = z.object({
  service: AuditedService.optional(),
  newest: z.enum(['true', 'false']).default('false'),
  limit: Limit,
  cursor: Cursor,
});
export type AuditHeadsQuery = z.infer<typeof AuditHeadsQuery>;

export const AuditHeadsAnswer = envelope(
  z.object({
    /** The public keys that sign heads. */
    keys: z.array(z.object({ service: AuditedService, key: SigningJwk })),
    heads: z.array(AuditHeadLine),
  }),
);
export type AuditHeads = z.infer<typeof AuditHeadsAnswer>['data'];
