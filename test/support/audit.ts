import { expect, vi } from 'vitest';
import { AuditEntriesAnswer, type AuditEntry } from '#libs/contract';
import type { StartedApp } from './app.js';

/** Entries of an app's trails, newest first: one page, as an administrator asks for it. @param query `service=library&actor=ann` */
export async function auditEntries(
  app: StartedApp,
  token: string,
  query = '',
): Promise<readonly AuditEntry[]> {
  const answer = await app.request(`/v1/audit?limit=500&${query}`, { token });
  if (answer.status !== 200) throw new Error(`No audit: ${JSON.stringify(answer.body)}`);
  return AuditEntriesAnswer.parse(answer.body).data;
}

/** Waits until there are as many entries: they are in the chain within a second. */
export async function waitForEntries(
  app: StartedApp,
  token: string,
  query: string,
  count: number,
): Promise<readonly AuditEntry[]> {
  return vi.waitFor(
    async () => {
      const entries = await auditEntries(app, token, query);
      expect(entries.length).toBe(count);
      return entries;
    },
    { interval: 50, timeout: 10_000 },
  );
}
