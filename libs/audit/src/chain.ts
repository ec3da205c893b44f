import { hash } from 'node:crypto';
import type { AuditEntry } from '#libs/contract';
import { canonicalJson } from './canonical.js';
import { type ChainedRecord, entryOf, type HeadRecord, orderOf, type WaitingRecord } from './records.js';

/** What stands before the first entry. */
export const BEGINNING: HeadRecord = { sequence: 0, hash: '0'.repeat(64) };

/** The hash of an entry: SHA-256, in hexadecimal, of all its members but `hash` as canonical JSON. */
export function hashOf(entry: Omit<AuditEntry, 'hash'>): string {
  const { sequence, time, service, action, outcome, actor, address, client, subject } = entry;
  const { before, after, reason, previous } = entry;
  const members = { sequence, time, service, action, outcome, actor, address, client, subject };
  return hash('sha256', canonicalJson({ ...members, before, after, reason, previous }), 'hex');
}

/** The records of `waiting` in the chain behind `head`, and where it ends then. */
export function link(
  head: HeadRecord,
  waiting: readonly WaitingRecord[],
): { readonly records: readonly ChainedRecord[]; readonly head: HeadRecord } {
  let { sequence, hash: previous } = head;
  const records = waiting.map(({ time, ...said }) => {
    sequence += 1;
    const unsealed = { ...said, sequence, order: orderOf(time, sequence), previous, hash: '' };
    const record: ChainedRecord = { ...unsealed, hash: hashOf(entryOf(unsealed)) };
    previous = record.hash;
    return record;
  });
  return { records, head: { sequence, hash: previous } };
}
