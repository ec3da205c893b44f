import type { FastifyRequest } from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AuditEvent } from '#libs/audit';
import type { Actor } from '#libs/contract';
import { DomainError } from '#libs/core';
import { LIMITS } from '../limits.js';
import type { Logger } from '../log.js';
import { AuditDesk, type OpenTrail } from './audit-desk.js';
import { noteChange } from './changes.js';

const caller = { accountId: 'a'.repeat(24), username: 'ann', token: 'secret' } as Actor;
const errors: string[] = [];
const log = { error: (_: unknown, message: string) => errors.push(message) } as unknown as Logger;

describe('a refused change', () => {
  let events: AuditEvent[];
  let record: (event: AuditEvent) => Promise<void>;
  let desk: AuditDesk;
  beforeEach(() => {
    events = [];
    errors.length = 0;
    record = async (event) => void events.push(event);
    desk = new AuditDesk(log);
    const trail = { service: 'library', record: (event: AuditEvent) => record(event) };
    desk.add({ trail } as unknown as OpenTrail);
  });
  afterEach(() => vi.useRealTimers());

  const request = (url = '/v1/images/ann/tools/blast:1?arch=amd64') => ({ id: 'r1', url }) as FastifyRequest;
  const refuse = (one: FastifyRequest, error: unknown) => desk.refused(one, error);
  const forbidden = new DomainError('forbidden', 'No', { reason: 'not_owner' });

  it('is recorded with where it went, without the query, and with what the error is about where it says so', async () => {
    for (const about of [
      undefined,
      { kind: 'container', name: 'ann/tools/blast' },
      { kind: 'x', name: 'y' },
    ]) {
      const one = request();
      noteChange(one, { action: 'image.delete', caller });
      await refuse(one, new DomainError('forbidden', 'No', { reason: 'not_owner', ...(about && { about }) }));
    }
    const path = { kind: 'request', name: '/v1/images/ann/tools/blast:1' };
    expect(events).toMatchObject([
      { action: 'image.delete', outcome: 'refused', actor: caller, subject: path, reason: 'not_owner' },
      { subject: { kind: 'container', name: 'ann/tools/blast' } },
      { subject: path },
    ]);
  });

  it('that failed is recorded as failed', async () => {
    const one = request();
    noteChange(one, { action: 'image.push', caller });
    await refuse(one, new Error('a bug'));
    expect(events).toMatchObject([{ outcome: 'failed', reason: 'internal' }]);
  });

  it('is not recorded when it is no change, when nobody is known, or when its service runs elsewhere', () => {
    expect(refuse(request(), forbidden)).toBeUndefined();
    const [nobody, elsewhere] = [request(), request()];
    noteChange(nobody, { action: 'image.push', caller: undefined });
    noteChange(elsewhere, { action: 'build.submit', caller });
    expect(refuse(nobody, forbidden)).toBeUndefined();
    expect(refuse(elsewhere, forbidden)).toBeUndefined();
    expect(events).toEqual([]);
  });

  it('is answered when it cannot be recorded, and the log says so', async () => {
    record = async () => Promise.reject(new Error('no space left'));
    const one = request();
    noteChange(one, { action: 'image.push', caller });
    await refuse(one, forbidden);
    expect(errors).toEqual(['A refusal was not recorded: no space left']);
  });

  it('is answered when the database does not answer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    record = () => new Promise(() => undefined);
    const one = request();
    noteChange(one, { action: 'image.push', caller });
    const answered = refuse(one, forbidden);
    await vi.advanceTimersByTimeAsync(LIMITS.auditTime);
    await answered;
    expect(errors).toEqual(['A refusal was not recorded: the database did not answer in time']);
  });
});
