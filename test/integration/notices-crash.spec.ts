import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  CERTIFICATES,
  type CertificateIndex,
  type StoredCertificate,
} from '#apps/keystore/src/collections.store';
import { NoticesStore } from '#apps/keystore/src/notices.store';
import { Trail } from '#libs/audit';
import { systemClock } from '#libs/core';
import { openDocuments } from '#libs/documents';
import { INBOX, type InboxIndex, type WaitingRecord } from '../../libs/audit/src/records.js';
import { startScript } from '../support/script.js';
import { temporaryFolder } from '../support/temporary.js';

const KEYS = 500;
/** So many more may be told before the kill arrives: all runs together do not come to the end, however late it is. */
const MORE = 80;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

it('a keystore that is killed while it tells of keys that end has told each once in the end', async () => {
  const url = `sqlite:${folder.path}`;
  let documents = await openDocuments(url, { service: 'keystore' });
  const end = Math.floor(Date.now() / 1000) + 20 * 86_400;
  await documents
    .collection<StoredCertificate, CertificateIndex>(CERTIFICATES)
    .load(
      Array.from({ length: KEYS }, (_, index) => ({ id: nameOf(index), value: certificate(index, end) })),
    );
  await documents.close();
  for (const lines of [1, 60, 150]) {
    const script = startScript('notices-teller.script.ts', [folder.path, String(lines + MORE)]);
    await script.line(() => script.lines.length >= lines);
    await script.end('SIGKILL');
    // Otherwise it was not killed in between.
    expect(script.lines).not.toContain('done');
  }
  documents = await openDocuments(url, { service: 'keystore' });
  const trail = new Trail({ documents, service: 'keystore', clock: systemClock });
  const notices = new NoticesStore(documents, trail, systemClock);
  expect(await notices.tell()).toBeGreaterThan(0);
  const { items } = await documents
    .collection<WaitingRecord, InboxIndex>(INBOX)
    .scan('byTime', { limit: 1000 });
  const expected = Array.from({ length: KEYS }, (_, index) => nameOf(index));
  expect(items.map(({ value }) => value.subject).toSorted()).toEqual(expected);
  const { found } = await notices.list('ann', { limit: 1000 });
  expect(found.map(({ notice }) => notice.fingerprint).toSorted()).toEqual(expected);
  await documents.close();
});

const nameOf = (index: number): string => index.toString(16).padStart(40, '0');

function certificate(index: number, expires: number): StoredCertificate {
  return {
    armor: '',
    fingerprint: nameOf(index),
    algorithm: 22,
    bits: 256,
    created: 1,
    expires,
    expiring: expires,
    revoked: false,
    userIds: [],
    subkeys: [],
    handles: [],
    owner: { account: 'ann', username: 'ann', email: '', at: '' },
    updatedAt: '',
    updatedBy: '',
  };
}
