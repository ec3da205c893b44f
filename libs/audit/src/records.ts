import { z } from 'zod';
import {
  AUDIT_LIMITS,
  AuditAction,
  type AuditActor,
  AuditedService,
  type AuditEntry,
  AuditOutcome,
  AuditState,
  AUDIT_SUBJECTS,
} from '#libs/contract';
import type { CollectionSpec } from '#libs/documents';
import { type AuditEvent, visibleText, withoutTokens } from './event.js';

const Short = z.string().min(1).max(AUDIT_LIMITS.name);
const Hash = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * What an entry says, flat, so that it can be found by its parts. Every part is in the hash: {@link entryOf} gives another entry for
 * another document. This is the last door before the database; it is closed to whatever the list below has no place for.
 */
const said = {
  service: AuditedService,
  action: AuditAction,
  outcome: AuditOutcome,
  account: Short.optional(),
  username: Short.optional(),
  tokenId: Short.optional(),
  originTokenId: Short.optional(),
  via: Short.optional(),
  address: Short.optional(),
  client: z.string().max(AUDIT_LIMITS.client).optional(),
  kind: z.enum(AUDIT_SUBJECTS),
  /** The name of the subject up to its tag or hash, and the rest. */
  subject: z.string().max(AUDIT_LIMITS.subject),
  part: z.string().max(AUDIT_LIMITS.subject).optional(),
  before: AuditState.optional(),
  after: AuditState.optional(),
  reason: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,63}$/)
    .optional(),
};

/** An entry that waits for its place in the chain. */
export const WaitingRecord = z.strictObject({ time: z.iso.datetime(), ...said });
export type WaitingRecord = z.infer<typeof WaitingRecord>;

export const INBOX = {
  name: 'auditInbox',
  schema: WaitingRecord,
  indexes: { byTime: { fields: ['time'] } },
} as const satisfies CollectionSpec<WaitingRecord>;
export type InboxIndex = 'byTime';

/** An entry in the chain; its id is its sequence number. */
export const ChainedRecord = z.strictObject({
  ...said,
  sequence: z.number().int().positive(),
  /** Time and sequence number as one string: sorts by time, and no two are equal. */
  order: z.string(),
  previous: Hash,
  hash: Hash,
});
export type ChainedRecord = z.infer<typeof ChainedRecord>;

export const CHAIN = {
  name: 'audit',
  schema: ChainedRecord,
  indexes: {
    bySequence: { fields: ['sequence'] },
    byTime: { fields: ['order'] },
    byActor: { fields: ['username', 'order'] },
    bySubject: { fields: ['subject', 'order'] },
  },
} as const satisfies CollectionSpec<ChainedRecord>;
export type ChainIndex = keyof (typeof CHAIN)['indexes'];

/** Where the chain ends. One document. */
export const HeadRecord = z.strictObject({ sequence: z.number().int().nonnegative(), hash: Hash });
export type HeadRecord = z.infer<typeof HeadRecord>;
export const HEAD = {
  name: 'auditHead',
  schema: HeadRecord,
  indexes: {},
} as const satisfies CollectionSpec<HeadRecord>;
export const HEAD_ID = 'head';

/** The record of an event. Only what is named here is taken from it. */
export function recordOf(event: AuditEvent, service: AuditedServiceName, now: Date): WaitingRecord {
  const { action, outcome = 'done', actor, subject, before, after, reason } = event;
  const from = actor?.from ?? event.from;
  const { name, part } = splitName(withoutTokens(subject.name));
  return {
    time: now.toISOString(),
    service,
    action,
    outcome,
    ...(actor === null
      ? {}
      : {
          account: actor.accountId,
          username: actor.username,
          tokenId: actor.tokenId,
          originTokenId: actor.originTokenId,
          ...(actor.via === undefined ? {} : { via: actor.via }),
        }),
    ...(from === undefined ? {} : { address: visibleText(from.address, AUDIT_LIMITS.name) }),
    ...(from?.client === undefined ? {} : { client: visibleText(from.client, AUDIT_LIMITS.client) }),
    kind: subject.kind,
    subject: name,
    ...(part === '' ? {} : { part }),
    ...(before === undefined ? {} : { before: named(before) }),
    ...(after === undefined ? {} : { after: named(after) }),
    ...(reason === undefined ? {} : { reason }),
  };
}

export type AuditedServiceName = z.infer<typeof AuditedService>;

function named(state: AuditState): AuditState {
  return state.name === undefined ? state : { ...state, name: withoutTokens(state.name) };
}

/** A name up to its first `:` or `@`, and the rest. */
export function splitName(name: string): { readonly name: string; readonly part: string } {
  const at = name.search(/[:@]/);
  return at === -1 ? { name, part: '' } : { name: name.slice(0, at), part: name.slice(at) };
}

const WIDTH = 15;
const SPACE = ' ';

export function orderOf(time: string, sequence: number): string {
  return `${time}${SPACE}${String(sequence).padStart(WIDTH, '0')}`;
}

/** The id of an entry in the chain. */
export function idOf(sequence: number): string {
  return String(sequence).padStart(WIDTH, '0');
}

/**
 * The entry of a document, whatever the document has become: what was changed in the database gives another entry, and so another
 * hash. Parts that do not belong together are shown together.
 */
export function entryOf(record: ChainedRecord): AuditEntry {
  const { sequence, order, service, action, outcome, address, client, kind, before, after, reason } = record;
  const { previous, hash } = record;
  const tail = `${SPACE}${idOf(sequence)}`;
  return {
    sequence,
    time: order.endsWith(tail) ? order.slice(0, -tail.length) : order,
    service,
    action,
    outcome,
    actor: actorOf(record),
    address: address ?? null,
    client: client ?? null,
    subject: { kind, name: nameOf(record) },
    before: before ?? null,
    after: after ?? null,
    reason: reason ?? null,
    previous,
    hash,
  };
}

function actorOf({ account, username, tokenId, originTokenId, via }: ChainedRecord): AuditActor | null {
  if ([account, username, tokenId, originTokenId, via].every((part) => part === undefined)) return null;
  return {
    account: account ?? '',
    username: username ?? '',
    tokenId: tokenId ?? '',
    originTokenId: originTokenId ?? '',
    via: via ?? null,
  };
}

function nameOf({ subject, part = '' }: ChainedRecord): string {
  const whole = `${subject}${part}`;
  return splitName(whole).name === subject ? whole : `${subject}${SPACE}${part}`;
}
